"""A run's records as Dagster metadata: metrics that are plotted, figures as thumbnails, values and files by name."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import Any

import dagster as dg

from nb_dagster.definitions.links import notebook_link, notebook_value
from nb_dagster.definitions.records import RECORDS_KEY, stored_records, survives_dagster
from nb_dagster.notebook.records import FileValue
from nb_dagster.runner.result import NotebookResult

PATH_KEY = "executed_notebook_path"
"""Where an attempt's notebook is, for programs: what people click on may be a link to its page."""
THUMBNAIL_WIDTH = 480
"""Pixels; a thumbnail is stored in Dagster's event log, the figure itself in the executed notebook."""
MAX_TRACEBACK = 4000
"""Characters of a traceback that are stored with a failure; the executed notebook has it whole."""
MAX_TEXT = 2000
"""Characters of a text that are shown."""
MAX_JSON = 20_000
"""Characters of a list or dict up to which it is shown."""


def output_metadata(result: NotebookResult, value: Any, thumbnails: int | None) -> dict[str, Any]:
    """Metadata of a notebook's output, as asset pages show it.

    Args:
        result: the run.
        value: the output's value, where it is a frame or array.
        thumbnails: how many figures are shown; None for all.
    """
    shown = {name: _shown(each) for name, each in result.records.outputs.items() if _is_shown(each)}
    shown |= {name: dg.MetadataValue.path(path) for name, path in result.artifacts.items()}
    shown |= _thumbnails(result.figures, thumbnails)
    shown |= {name: number for name, number in result.metrics.items() if math.isfinite(number)}
    if isinstance(value, FileValue) and value.format == "parquet":
        shown["dagster/row_count"] = value.shape[0]
    if result.records.left_out:
        shown["records_left_out"] = f"{result.records.left_out:,}, which were more than its output_limits allow"
    return {
        **{_label(name): each for name, each in shown.items()},
        "executed_notebook": notebook_value(dg.OpExecutionContext.get(), result),
        "notebook_duration_s": round(result.duration_s, 3),
        "parameters": dg.MetadataValue.json(result.parameters),
        RECORDS_KEY: stored_records(result),
    }


def attempt_metadata(context: dg.OpExecutionContext, result: NotebookResult) -> dict[str, Any]:
    """Metadata of one attempt, as the run's log and a failure show it: the log clips what is long, so last comes least."""
    shown: dict[str, Any] = {"executed_notebook": notebook_link(context, result)}
    if result.error is not None:
        shown["cell"] = f"{result.error.number}: {result.error.first_line}"
        text = result.error.traceback.replace("```", "'''")
        shown["traceback"] = dg.MetadataValue.md(f"```python\n{text[-MAX_TRACEBACK:]}\n```")
    if result.reason:
        shown["reason"] = result.reason
    if result.peak_memory:
        shown["peak_memory_mb"] = round(result.peak_memory / 1e6)
    return {
        **shown,
        "attempt": result.attempt,
        "parameters": dg.MetadataValue.json(result.parameters),
        PATH_KEY: result.executed_notebook,
        **history_metadata(result),
    }


def history_metadata(result: NotebookResult) -> dict[str, Any]:
    """What the history says of an attempt beside what people see first; it is written with an entry that is written anyway."""
    known = {
        "workflow": result.workflow,
        "status": result.status,
        "duration_s": round(result.duration_s, 3),
        "commit": result.commit,
        "dirty": result.dirty,
        "is_infrastructure": result.is_infrastructure or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def stored_notebooks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Paths of a run's executed notebooks, in the order in which its attempts ended."""
    found: list[str] = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event and entry.dagster_event.event_specific_data
        path = getattr(data, "metadata", {}).get(PATH_KEY)
        if path is not None:
            found.append(str(path.value))
    return found


def _thumbnails(figures: dict[str, bytes], limit: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, png in list(figures.items())[:limit]:
        picture = base64.b64encode(_thumbnail(png)).decode("ascii")
        shown[name] = dg.MetadataValue.md(f"![{_label(name)}](data:image/png;base64,{picture})")
    left_out = len(figures) - len(shown)
    if left_out > 0:
        shown["figures"] = f"{left_out} more in the executed notebook"
    return shown


def _thumbnail(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        picture.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH))
        small = io.BytesIO()
        picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(small, "PNG", optimize=True)
        return small.getvalue()


def _is_shown(value: object) -> bool:
    return isinstance(value, (bool, int, str, dict, list)) or (isinstance(value, float) and math.isfinite(value))


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}… (the first {MAX_TEXT:,} of {len(value):,} characters)"
    if not isinstance(value, (dict, list)):
        return value
    if len(repr(value)) > MAX_JSON:
        return f"a {type(value).__name__} of {len(value):,} items, too long to be shown here"
    text = json.dumps(value)
    return dg.MetadataValue.json(value) if survives_dagster(text) else text


def _label(name: str) -> str:
    return name.replace("[", "(").replace("]", ")").strip()
