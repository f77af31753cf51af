"""An executed notebook, read back as the result of its run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from nb_dagster.notebook.formats import read_bytes
from nb_dagster.notebook.records import Records, read_records
from nb_dagster.runner.failure import read_error
from nb_dagster.runner.result import CellError, CellResult, NotebookResult


def read_result(path: str, notebook: str = "") -> NotebookResult:
    """The result of the run that an executed notebook is of.

    Values that are files beside a notebook in a remote store are left out.

    Args:
        path: local path or URL of the executed notebook.
        notebook: path of the source.

    Raises:
        UnreadableNotebook: there is no such file.
        KeyError, ValueError: it is no executed notebook.

    Example:
        >>> read_result(".nb_dagster/notebooks/train/2026-01-31T020000Z-1a2b3c4d-1/train.ipynb").status
        'succeeded'
    """
    content = json.loads(read_bytes(path))
    said = content["metadata"]["nb_dagster"]
    code = [(index, cell) for index, cell in enumerate(content["cells"]) if cell["cell_type"] == "code"]
    return NotebookResult(
        status=said["status"],
        reason=said["reason"],
        notebook=notebook,
        workflow=said["workflow"],
        run_id=said["run_id"],
        attempt=said["attempt"],
        executed_notebook=path,
        parameters=said["parameters"],
        records=_records(content, None if "://" in path else Path(path).with_suffix(".files")),
        cells=[
            CellResult(index, cell["metadata"]["nb_dagster"]["status"], _seconds(cell["metadata"]["nb_dagster"]))
            for index, cell in code
        ],
        error=next(_errors(code), None) if said["status"] == "failed" else None,
        duration_s=_seconds(said),
        commit=said.get("commit"),
        dirty=said.get("dirty"),
    )


def _records(content: dict[str, Any], files: Path | None) -> Records:
    records = Records()
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):  # the run has warned of it
                for record in read_records(output.get("data", {}), files):
                    records.add(record)
    return records


def _errors(code: list[tuple[int, dict[str, Any]]]) -> Iterator[CellError]:
    for number, (index, cell) in enumerate(code, start=1):
        for output in cell["outputs"]:
            if output["output_type"] == "error" and cell["metadata"]["nb_dagster"]["status"] == "failed":
                yield read_error(output, index, number, "".join(cell["source"]))


def _seconds(said: dict[str, Any]) -> float:
    """Seconds from start to end."""
    if not said["started"] or not said["ended"]:
        return 0.0
    return (datetime.fromisoformat(said["ended"]) - datetime.fromisoformat(said["started"])).total_seconds()
