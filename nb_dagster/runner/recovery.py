"""The executed notebook of a run whose process was killed, made from its journal."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.locks import try_lock
from nb_dagster.runner.executed import mark_cell, mark_run, new_notebook, write_notebook
from nb_dagster.runner.journal import Journal, is_at, replacement_of


def open_journal(path: Path, notebook: dict[str, Any], output: Path) -> Journal:
    """The journal of a run that starts.

    Raises:
        RunRefused: another run writes to the same output, or one that was killed has left its notebook there.
    """
    try:
        return Journal(path, notebook, output)
    except FileExistsError:
        if recover_notebook(path, output.parent) is None:
            raise RunRefused(f"{output}: another run is writing it at this moment; name another output") from None
        raise RunRefused(
            f"{output} exists now: it is the notebook of a run that was killed, recovered just now; name another output"
        ) from None


def recover_notebook(journal: Path, root: Path) -> Path | None:
    """Make the executed notebook of a run whose process is gone from its journal, and remove the journal.

    Args:
        journal: its path.
        root: the folder that its notebook belongs under; a journal that names another place is left alone.

    Returns:
        The path of the executed notebook; None where the run is still going, or left nothing to recover.
    """
    try:
        with open(journal, encoding="utf-8") as file:
            if not try_lock(file.fileno()) or not is_at(file, journal):  # its run has put another in its place
                return None
            entries = list(_entries(file))
            output = Path(entries[0]["output"]) if entries else None
            if output is not None and not output.resolve().is_relative_to(root.resolve()):
                return None
            if output is not None and not output.exists():
                write_notebook(output, _replay(entries))
            replacement_of(journal).unlink(missing_ok=True)
            journal.unlink(missing_ok=True)
            return output
    except FileNotFoundError:
        return None


def _entries(file: IO[str]) -> Iterator[dict[str, Any]]:
    for line in file:
        with contextlib.suppress(ValueError):  # the last line may be cut
            yield json.loads(line)


def _replay(entries: list[dict[str, Any]]) -> Any:
    from nbclient.exceptions import CellControlSignal

    from nb_dagster.runner.outputs import CellOutputs

    notebook = new_notebook(entries[0]["notebook"])
    client = CellOutputs(notebook)
    running: tuple[int, float] | None = None
    for entry in entries[1:]:
        cell = notebook.cells[entry["cell"]]
        if "started" in entry:
            running = (entry["cell"], entry["started"])
            client.clear_before_next_output = False
        elif "metadata" in entry:
            cell.metadata["nb_dagster"] = entry["metadata"]
            running = None
        else:
            with contextlib.suppress(CellControlSignal):
                message = {"msg_type": entry["type"], "header": {"msg_type": entry["type"]}, "parent_header": {}}
                client.process_message({**message, "content": entry["content"]}, cell, entry["cell"])
    client.settle()
    now = time.time()
    if running is not None:
        mark_cell(notebook.cells[running[0]], "killed", running[1], now)
    mark_run(notebook, "killed", "the process that ran the notebook was killed", now)
    return notebook
