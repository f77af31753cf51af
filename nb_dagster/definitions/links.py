"""Where a person reaches an executed notebook from Dagster's UI with one click."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg

from nb_dagster.store.view import view_of


def notebook_value(executed: str) -> dg.MetadataValue[Any]:
    """The value that asset pages show as a button which opens the notebook."""
    return dg.MetadataValue.notebook(view_of(executed))


def notebook_link(context: dg.OpExecutionContext, executed: str) -> dg.MetadataValue[Any]:
    """The value that the run's log shows as a link: the log knows no viewer, but takes relative addresses."""
    if "://" in executed:
        return dg.MetadataValue.url(executed)
    view, here = Path(view_of(executed)), Path.cwd()
    origin = context.run.remote_job_origin
    if origin is None or not view.is_relative_to(here):  # the web server shows nothing outside of the code's folder
        return dg.MetadataValue.path(executed)
    location = origin.repository_origin.code_location_origin.location_name
    return dg.MetadataValue.url(f"/notebook?path={quote(str(view))}&repoLocName={quote(location)}")
