"""What cells show, on its way into the journal, the records and the events of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nb_dagster.notebook.records import Records, read_records
from nb_dagster.runner import events
from nb_dagster.runner.journal import Journal
from nb_dagster.runner.listener import Listener

_DISPLAYS = ("display_data", "execute_result", "update_display_data")


class Recorder(Listener):
    """Takes what cells show into the journal, the records and the events of a run.

    Args:
        journal: the run's journal.
        records: takes what is handed out.
        files: the folder of the run's artifacts.
        numbers: the code cells' numbers, from 1, by index.
        emit: takes events.
        on_heard: called with each sign of life.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        records: Records,
        files: Path,
        numbers: Mapping[int, int],
        emit: Callable[[events.Event], None],
        on_heard: Callable[[], None],
    ) -> None:
        self._journal, self._records, self._files = journal, records, files
        self._numbers, self._emit, self._on_heard = numbers, emit, on_heard
        self._is_warned = False

    def heard(self) -> None:
        """Tell that the notebook is alive."""
        self._on_heard()

    def shown(self, cell: int, message: dict[str, Any]) -> None:
        """Keep it, and tell of it."""
        self._journal.message(cell, message)
        self._warn_of_journal()
        content, now = message["content"], time.time()
        if message["msg_type"] == "stream":
            self._emit(events.Stream(now, cell, content["name"], content["text"]))
        elif message["msg_type"] in _DISPLAYS:
            is_update = message["msg_type"] == "update_display_data"
            display = str((content.get("transient") or {}).get("display_id") or "") if is_update else ""
            self._display(now, cell, content.get("data", {}), display)

    def cleared(self, cell: int) -> None:
        """Tell of it."""
        self._emit(events.Cleared(time.time(), cell))

    def marked(self, cell: int, mark: str) -> None:
        """Warn of it."""
        self._emit(events.Warned(time.time(), cell, f"cell {self._numbers[cell]}: {mark}"))

    def left_out(self, kind: str, name: str) -> None:
        """Forget what the name had before."""
        self._records.leave_out(kind, name)

    def _display(self, now: float, cell: int, data: dict[str, Any], updates: str) -> None:
        try:
            records = read_records(data, self._files)
        except (ValueError, KeyError, TypeError, OSError) as error:
            self._emit(events.Warned(now, cell, f"a record was left out: {error}"))
            return
        for record in records:
            self._records.add(record)
            self._emit(events.Recorded(now, cell, record, updates))
        if not records:
            self._emit(events.Display(now, cell, data, updates))

    def _warn_of_journal(self) -> None:
        """Say once that the run is not safe from being killed."""
        failure = self._journal.failure
        if failure is not None and not self._is_warned:
            self._is_warned = True
            why = f"the run's journal cannot be written ({failure.strerror})"
            self._emit(events.Warned(time.time(), None, f"{why}; if this process is killed, the notebook is lost"))
