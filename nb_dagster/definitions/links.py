"""Where a person reaches an executed notebook from Dagster's UI with one click."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg

from nb_dagster.store.view import view_of


def notebook_value(context: dg.OpExecutionContext, executed: str) -> dg.MetadataValue[Any]:
    """The value that asset pages show: a link; or, where the run knows no code location, the asset graph's button."""
    if context.run.remote_job_origin is None and _is_viewable(executed):
        return dg.MetadataValue.notebook(view_of(executed))
    return notebook_link(context, executed)


def notebook_link(context: dg.OpExecutionContext, executed: str) -> dg.MetadataValue[Any]:
    """The value that every page shows as a link: most know no viewer, but all take relative addresses."""
    if "://" in executed:
        return dg.MetadataValue.url(executed)
    origin = context.run.remote_job_origin
    if origin is None or not _is_viewable(executed):
        return dg.MetadataValue.path(executed)
    location = origin.repository_origin.code_location_origin.location_name
    view = Path(view_of(executed)).relative_to(Path.cwd()).as_posix()
    return dg.MetadataValue.url(f"/notebook?path={quote(view)}&repoLocName={quote(location)}")


def _is_viewable(executed: str) -> bool:
    """Whether the web server shows it, which shows nothing outside of the code's folder."""
    return "://" not in executed and Path(executed).is_relative_to(Path.cwd())
