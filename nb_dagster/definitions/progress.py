"""A run's events in Dagster: cells as log entries and marks on the Gantt chart, streams in the compute log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, EngineEventData

from nb_dagster.definitions.here import follower
from nb_dagster.runner import events
from nb_dagster.runner.result import NotebookResult

CELLS_IN_FULL = 50
"""Cells that are logged one by one; after these, only slow ones are."""
SLOW_CELL = 1.0
"""Seconds from which a cell is always worth a line, up to ``MAX_EVENTS``."""
MAX_EVENTS = 400
"""Log entries of one attempt; a last one says that there were more."""


class StepLog:
    """Writes a run's events into the log of its step.

    Args:
        context: the step's context.
    """

    def __init__(self, context: dg.OpExecutionContext) -> None:
        self._step = context.get_step_execution_context()
        self._context = context
        self._cells = 0
        self._written = 0
        self._first_lines: dict[int, str] = {}
        self.result: NotebookResult | None = None

    def consume(self, stream: Iterable[events.Event]) -> None:
        """Log events until the run has ended; its result is then in ``result``."""
        listener = follower().listener
        for event in stream:
            listener(event)
            if isinstance(event, events.Stream):
                stdout, stderr = follower().streams or (sys.stdout, sys.stderr)
                target = stderr if event.name == "stderr" else stdout
                target.write(event.text)
                target.flush()
            elif isinstance(event, events.CellStarted):
                self._start_cell(event)
            elif isinstance(event, events.CellFinished):
                self._finish_cell(event)
            elif isinstance(event, events.Warned):
                self._context.log.warning(event.message)
            elif isinstance(event, events.Started):
                self._cells = event.cells
                self.event(f"notebook {event.workflow} started: {event.cells} cells on kernel {event.kernel}", {})
            elif isinstance(event, events.Finished):
                self.result = event.result

    def event(self, message: str, metadata: Mapping[str, Any], **markers: str) -> None:
        """One entry of the event log; ``marker_start`` and ``marker_end`` draw a span on the Gantt chart."""
        DagsterEvent.engine_event(self._step, message, EngineEventData(metadata=metadata, **markers))  # type: ignore[arg-type]

    def _start_cell(self, event: events.CellStarted) -> None:
        self._first_lines[event.number] = event.first_line
        if event.number <= CELLS_IN_FULL and self._has_room():
            self.event(
                f"cell {event.number}/{self._cells} started: {event.first_line}",
                {},
                marker_start=f"cell {event.number}",
            )

    def _finish_cell(self, event: events.CellFinished) -> None:
        result, first_line = event.result, self._first_lines.pop(event.number, "")
        slow = result.duration_s >= SLOW_CELL or result.status != "succeeded"
        if (event.number <= CELLS_IN_FULL or slow) and self._has_room():
            self.event(
                f"cell {event.number}/{self._cells} {result.status} in {result.duration_s:.2f} s: {first_line}",
                {},
                marker_end=f"cell {event.number}",
            )

    def _has_room(self) -> bool:
        self._written += 1
        if self._written == MAX_EVENTS:
            self.event(f"more cells follow; they are not logged one by one after {MAX_EVENTS} entries", {})
        return self._written < MAX_EVENTS
