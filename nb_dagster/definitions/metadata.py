"""A run's records as Dagster metadata: metrics that are plotted, figures as thumbnails, values and files by name."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import dagster as dg

from nb_dagster.definitions.links import notebook_link, notebook_value
from nb_dagster.definitions.records import RECORDS_KEY, stored_records
from nb_dagster.notebook.records import FileValue
from nb_dagster.runner.result import NotebookResult

MAX_THUMBNAILS = 12
THUMBNAIL_WIDTH = 480
"""Pixels; a thumbnail is stored in Dagster's event log, the figure itself in the executed notebook."""
MAX_TRACEBACK = 4000
"""Characters of a traceback that are stored with a failure; the executed notebook has it whole."""
MAX_TEXT = 2000
"""Characters of a text that are shown."""
MAX_JSON = 20_000
"""Characters of a list or dict up to which it is shown."""


def output_metadata(result: NotebookResult, value: Any) -> dict[str, Any]:
    """Metadata of a notebook's output, as asset pages show it.

    Args:
        result: the run.
        value: the output's value, where it is a frame or array.
    """
    shown = {name: _shown(each) for name, each in result.records.outputs.items() if _is_shown(each)}
    shown |= {name: dg.MetadataValue.path(path) for name, path in result.artifacts.items()}
    shown |= _thumbnails(result.figures)
    shown |= {name: number for name, number in result.metrics.items() if math.isfinite(number)}
    if isinstance(value, FileValue) and value.format == "parquet":
        shown["dagster/row_count"] = value.shape[0]
    return {
        **{_label(name): each for name, each in shown.items()},
        "executed_notebook": notebook_value(dg.OpExecutionContext.get(), result.executed_notebook),
        "notebook_duration_s": round(result.duration_s, 3),
        "parameters": dg.MetadataValue.json(result.parameters),
        RECORDS_KEY: stored_records(result),
    }


def attempt_metadata(context: dg.OpExecutionContext, result: NotebookResult) -> dict[str, Any]:
    """Metadata of one attempt, as the run's log and a failure show it: the log clips what is long, so last comes least."""
    shown: dict[str, Any] = {"executed_notebook": notebook_link(context, result.executed_notebook)}
    if result.error is not None:
        shown["cell"] = f"{result.error.number}: {result.error.first_line}"
        text = result.error.traceback.replace("```", "'''")
        shown["traceback"] = dg.MetadataValue.md(f"```python\n{text[-MAX_TRACEBACK:]}\n```")
    if result.reason:
        shown["reason"] = result.reason
    if result.peak_memory:
        shown["peak_memory_mb"] = round(result.peak_memory / 1e6)
    return {**shown, "attempt": result.attempt, "parameters": dg.MetadataValue.json(result.parameters)}


def _thumbnails(figures: dict[str, bytes]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, png in list(figures.items())[:MAX_THUMBNAILS]:
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
    return dg.MetadataValue.json(value)


def _label(name: str) -> str:
    return name.replace("[", "(").replace("]", ")").strip()
