"""The executed notebook: the document with its injected cell, outputs, and the true state of each cell and of the run."""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nb_dagster.kernel.folders import umask
from nb_dagster.notebook.injection import INJECTED_TAG, with_parameters

_CELL_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


def executed_form(
    content: dict[str, Any], injected: str | None, kernelspec: dict[str, str], run: dict[str, Any]
) -> dict[str, Any]:
    """The notebook as it will run: every code cell ``not_run``, the parameters' cell in its place.

    Args:
        content: the document's content.
        injected: source of the cell with this run's parameters, if there are any.
        kernelspec: name, display name and language of the kernel that runs it.
        run: what ``metadata.nb_dagster`` says of the run.
    """
    cells = [{**cell, "metadata": dict(cell["metadata"])} for cell in content["cells"]]
    cells = with_parameters(cells, None if injected is None else _injected_cell(injected))
    ids: set[str] = set()
    for cell in cells:
        cell["id"] = _unique_id(cell.get("id"), ids)
        cell["metadata"].pop("nb_dagster", None)
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
            cell["metadata"]["nb_dagster"] = {"status": "not_run", "started": None, "ended": None}
    metadata = {key: value for key, value in content["metadata"].items() if key != "widgets"}
    metadata |= {"kernelspec": kernelspec, "nb_dagster": {**run, "status": "running", "reason": None, "ended": None}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def new_notebook(content: dict[str, Any]) -> Any:
    """The same as an nbformat node."""
    import nbformat

    return nbformat.from_dict(content)  # type: ignore[no-untyped-call]


def mark_cell(cell: Any, status: str, started: float, ended: float) -> dict[str, Any]:
    """Write into the cell how it ended; returns what was written."""
    metadata = {"status": status, "started": timestamp(started), "ended": timestamp(ended)}
    cell.metadata["nb_dagster"] = metadata
    return metadata


def mark_run(notebook: Any, status: str, reason: str | None, ended: float) -> None:
    """Write into the notebook how the run ended."""
    notebook.metadata["nb_dagster"] |= {"status": status, "reason": reason, "ended": timestamp(ended)}


def write_notebook(path: Path, notebook: Any) -> None:
    """Write the notebook's file."""
    import nbformat

    write_whole(path, nbformat.v4.writes_json(notebook) + "\n")  # type: ignore[no-untyped-call]


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step: it is there whole, or not at all; a link in its place is replaced, not followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.chmod(partial, 0o666 & ~umask())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _injected_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": [INJECTED_TAG]}, "source": source}


def _unique_id(given: object, taken: set[str]) -> str:
    """The cell's own id, or a new one where that is not a valid one or is another's."""
    own = given if isinstance(given, str) and _CELL_ID.match(given) and given not in taken else uuid.uuid4().hex[:8]
    taken.add(own)
    return own
