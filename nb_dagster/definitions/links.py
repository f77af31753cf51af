"""Where a person reaches an executed notebook from Dagster's UI with one click."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg

from nb_dagster.runner.result import NotebookResult
from nb_dagster.store.view import view_of


def notebook_value(context: dg.OpExecutionContext, result: NotebookResult) -> dg.MetadataValue[Any]:
    """The value that asset pages show: a link; or, of a run that knows no code location, the path for a viewer."""
    if context.run.remote_job_origin is None and result.page is None:
        return dg.MetadataValue.notebook(view_of(result.executed_notebook))
    return notebook_link(context, result)


def notebook_link(context: dg.OpExecutionContext, result: NotebookResult) -> dg.MetadataValue[Any]:
    """The value that every page shows as a link: to our page, or else to the viewer, by a relative address."""
    executed = result.executed_notebook
    if result.page is not None:
        return dg.MetadataValue.url(result.page)
    if "://" in executed:
        return dg.MetadataValue.url(executed)
    view, here = Path(view_of(executed)), Path.cwd()
    origin = context.run.remote_job_origin
    if origin is None or not view.is_relative_to(here):  # the web server shows nothing outside of the code's folder
        return dg.MetadataValue.path(executed)
    location = origin.repository_origin.code_location_origin.location_name
    path = view.relative_to(here).as_posix()
    return dg.MetadataValue.url(f"/notebook?path={quote(path)}&repoLocName={quote(location)}")
