"""What a run has done so far, appended message by message, so that the executed notebook survives whatever kills us.

A line each, in JSON: the notebook first, then every output message, then how each cell ended. The executed notebook
is written from memory at the end; only after a crash it is made from the journal, by replaying its messages.
"""

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

_REPLAYED = ("stream", "display_data", "execute_result", "error", "update_display_data", "clear_output")


class Journal:
    """The journal of one run, locked as long as its process lives.

    Args:
        path: where it is written.
        notebook: the notebook as it will run, with its injected cell and what is known of the run in its metadata.
        output: where the executed notebook will be.
    """

    def __init__(self, path: Path, notebook: dict[str, Any], output: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.failure: OSError | None = None
        self._file = open(path, "x", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - open, and locked, as long as the run
        try_lock(self._file.fileno())
        self._append({"output": str(output), "notebook": notebook})

    def message(self, cell: int, message: dict[str, Any]) -> None:
        """An output message of a cell."""
        if message["msg_type"] in _REPLAYED:
            self._append({"cell": cell, "type": message["msg_type"], "content": message["content"]})

    def cell_started(self, cell: int) -> None:
        """A cell was sent to the kernel."""
        self._append({"cell": cell, "started": time.time()})

    def cell_finished(self, cell: int, metadata: dict[str, Any]) -> None:
        """A cell ended; ``metadata`` is what its executed form says of it."""
        self._append({"cell": cell, "metadata": metadata})

    def close(self) -> None:
        """The executed notebook is written: the journal is not needed any more."""
        with contextlib.suppress(OSError):  # what could not be written before
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _append(self, entry: dict[str, Any]) -> None:
        if self.failure is not None:
            return
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()  # to the system: it survives our own end, though not the machine's
        except OSError as error:  # a full disk, most of all: the run goes on without it
            self.failure = error


def open_journal(path: Path, notebook: dict[str, Any], output: Path) -> Journal:
    """The journal of a run that starts.

    Raises:
        RunRefused: another run writes to the same output, or one that was killed has left its notebook there.
    """
    try:
        return Journal(path, notebook, output)
    except FileExistsError:
        if recover_notebook(path) is None:
            raise RunRefused(f"{output}: another run is writing it at this moment; name another output") from None
        raise RunRefused(
            f"{output} exists now: it is the notebook of a run that was killed, recovered just now; name another output"
        ) from None


def recover_notebook(journal: Path) -> Path | None:
    """Make the executed notebook of a run whose process is gone from its journal, and remove the journal.

    Returns:
        The path of the executed notebook; None where the run is still going, or left nothing to recover.
    """
    try:
        with open(journal, encoding="utf-8") as file:
            if not try_lock(file.fileno()):
                return None
            entries = list(_entries(file))
            output = Path(entries[0]["output"]) if entries else None
            if output is not None and not output.exists():
                write_notebook(output, _replay(entries))
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

    from nb_dagster.runner.client import CellClient

    notebook = new_notebook(entries[0]["notebook"])
    client = CellClient(notebook, None, lambda *_: None)
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
