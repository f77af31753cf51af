"""What a run has done so far, appended message by message, so that the executed notebook survives whatever kills us.

A line each, in JSON: the notebook first, then every output message, then how each cell ended. The executed notebook
is written from memory at the end; only after a crash it is made from the journal, by replaying its messages. A journal
that has grown long begins anew with what is still shown: what a progress bar overwrote a million times is not needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nb_dagster.kernel.locks import lock

if TYPE_CHECKING:
    from nb_dagster.runner.outputs import CellOutputs

_LONG = 50_000_000  # characters
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
        self._file = _open_locked(path, "x")
        while not is_at(self._file, path):  # empty, and not locked for a moment, it was taken for a dead run's
            self._file.close()
            self._file = _open_locked(path, "x")
        self._output = output
        self._outputs: CellOutputs | None = None
        self._running: tuple[int, float] | None = None
        self._size, self._long = 0, _LONG
        self._append({"output": str(output), "notebook": notebook})

    def follow(self, outputs: CellOutputs) -> None:
        """Take from there what is shown, when it begins anew."""
        self._outputs = outputs

    def message(self, cell: int, message: dict[str, Any]) -> None:
        """An output message of a cell."""
        kind, content = message["msg_type"], message["content"]
        if kind in _REPLAYED:
            self._append({"cell": cell, "type": kind, "content": content})
        elif kind == "execute_input":
            self._append({"cell": cell, "type": kind, "content": {"execution_count": content["execution_count"]}})
        if self._size > self._long:
            self._begin_anew()

    def cell_started(self, cell: int) -> None:
        """A cell was sent to the kernel."""
        self._running = (cell, time.time())
        self._append({"cell": cell, "started": self._running[1]})

    def cell_finished(self, cell: int, metadata: dict[str, Any]) -> None:
        """A cell ended; ``metadata`` is what its executed form says of it."""
        self._running = None
        self._append({"cell": cell, "metadata": metadata})

    def close(self) -> None:
        """The executed notebook is written: the journal is not needed any more."""
        _close(self._file)
        with contextlib.suppress(OSError):  # its folder may be gone
            self.path.unlink()

    def _append(self, entry: dict[str, Any]) -> None:
        if self.failure is not None:
            return
        try:
            self._size += self._file.write(_line(entry))
            self._file.flush()  # to the system: it survives our own end, though not the machine's
        except OSError as error:  # a full disk, most of all: the run goes on without it
            self.failure = error

    def _begin_anew(self) -> None:
        """Put a file with what is shown now in the place of this one, in one step, and locked before it is there."""
        if self.failure is not None:
            return
        partial = replacement_of(self.path)
        self._long *= 2  # where that is impossible, on a full disk most of all: what is there is still whole
        with contextlib.suppress(OSError), contextlib.ExitStack() as undo:
            partial.unlink(missing_ok=True)
            file = _open_locked(partial, "x")
            undo.callback(partial.unlink, missing_ok=True)
            undo.callback(_close, file)
            size = sum(file.write(_line(entry)) for entry in self._entries())
            file.flush()
            os.replace(partial, self.path)
            undo.pop_all()
            _close(self._file)
            self._file, self._size, self._long = file, size, max(_LONG, 3 * size)

    def _entries(self) -> Iterator[dict[str, Any]]:
        """What a journal would say that had only heard of what is shown now."""
        assert self._outputs is not None, "messages come from there"  # noqa: S101 - an invariant of ours
        notebook: Any = self._outputs.nb
        cells = [{**cell, "outputs": []} if cell.cell_type == "code" else cell for cell in notebook.cells]
        yield {"output": str(self._output), "notebook": {**notebook, "cells": cells}}
        running = 0
        if self._running is not None:
            running, started = self._running
            yield {"cell": running, "started": started}
        for cell, kind, content in self._outputs.messages(running):
            yield {"cell": cell, "type": kind, "content": content}


def _open_locked(path: Path, mode: str) -> IO[str]:
    file = open(path, mode, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - open as long as the run
    if os.name == "posix":
        lock(file.fileno())
    return file


def _close(file: IO[str]) -> None:
    with contextlib.suppress(OSError):  # what could not be written before
        file.close()


def is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def replacement_of(path: Path) -> Path:
    """Where a journal is written that will take the place of one."""
    return path.with_name(f".{path.name}.new")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
