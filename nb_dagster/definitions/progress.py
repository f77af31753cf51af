"""A run's events in Dagster: cells as log entries and marks on the Gantt chart, streams in the compute log."""

from __future__ import annotations

import queue
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.events import DagsterEvent, EngineEventData

from nb_dagster.definitions.here import follower
from nb_dagster.kernel.memory import in_words
from nb_dagster.runner import events
from nb_dagster.runner.limits import DEFAULT_OUTPUT, OutputLimits
from nb_dagster.runner.result import NotebookResult

if TYPE_CHECKING:
    from nb_dagster.runner.background import BackgroundRun

PATIENCE = 0.5
"""Seconds for which nothing is written; what takes longer is slow, and told while it happens.

An entry costs Dagster's storage 5 to 15 ms: one for each quick cell would take longer than the cells.
"""


class StepLog:
    """Writes a run's events into the log of its step.

    A slow cell has an entry when it started and one when it ended, with a span on the Gantt chart between; quick cells
    share one entry. A run that is quick as a whole has only its last one.

    Args:
        context: the step's context.
        limits: how many entries there may be, and how much text in the compute log.
    """

    def __init__(self, context: dg.OpExecutionContext, limits: OutputLimits = DEFAULT_OUTPUT) -> None:
        self._limits = limits
        self._step = context.get_step_execution_context()
        self._context = context
        self._written = self._streamed = 0
        self._cells = 0
        self._unsaid: list[events.Started | events.CellFinished] = []
        self._running: events.CellStarted | None = None
        self._is_announced = False
        self.result: NotebookResult | None = None

    def consume(self, run: BackgroundRun) -> None:
        """Log events until the run has ended; its result is then in ``result``."""
        listener = follower().listener
        while True:
            try:
                event = run.next_event(PATIENCE if self._unsaid or self._is_unannounced else None)
            except queue.Empty:
                self._say()
                self._announce()
                continue
            if event is None:
                return
            listener(event)
            self._take(event)
            if isinstance(event, events.Stream):  # a cell that prints all the time leaves no pause
                self._keep_up(event.at)

    def _keep_up(self, now: float) -> None:
        """Say what is due by now."""
        if self._unsaid and now - self._unsaid[0].at >= PATIENCE:
            self._say()
        if self._running is not None and now - self._running.at >= PATIENCE:
            self._announce()

    def event(self, message: str, metadata: Mapping[str, Any], **markers: str) -> None:
        """One entry of the event log; ``marker_start`` and ``marker_end`` draw a span on the Gantt chart."""
        DagsterEvent.engine_event(self._step, message, EngineEventData(metadata=metadata, **markers))  # type: ignore[arg-type]

    @property
    def _is_unannounced(self) -> bool:
        return self._running is not None and not self._is_announced

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Stream):
            self._write(event)
        elif isinstance(event, events.CellStarted):
            self._running, self._is_announced = event, False
        elif isinstance(event, events.CellFinished):
            self._finish_cell(event)
        elif isinstance(event, events.Warned):
            if self._has_room():
                self._context.log.warning(event.message)
        elif isinstance(event, (events.Waiting, events.Usage)):
            self._say()
            self._entry(event.message if isinstance(event, events.Waiting) else _usage(event))
        elif isinstance(event, events.Started):
            self._cells = event.cells
            self._unsaid.append(event)
        elif isinstance(event, events.Finished):
            if self._written or not event.result.ok:
                self._say()
            self.result = event.result

    def _finish_cell(self, event: events.CellFinished) -> None:
        result, started = event.result, self._running
        if result.status == "succeeded" and result.duration_s < PATIENCE and not self._is_announced:
            self._unsaid.append(event)
        else:
            self._say()
            first_line = f": {started.first_line}" if started is not None else ""
            marker = {"marker_end": f"cell {event.number}"} if self._is_announced else {}
            self._entry(f"{self._name(event)} {result.status} in {result.duration_s:.2f} s{first_line}", **marker)
        self._running = None
        if self._unsaid and event.at - self._unsaid[0].at >= PATIENCE:
            self._say()

    def _announce(self) -> None:
        """Say that a cell is running."""
        if self._running is not None and not self._is_announced:
            self._is_announced = True
            number = self._running.number
            self._entry(
                f"{self._name(self._running)} started: {self._running.first_line}", marker_start=f"cell {number}"
            )

    def _say(self) -> None:
        """Say what was quick, now that there is reason to write."""
        cells = []
        for event in self._unsaid:
            if isinstance(event, events.Started):
                self._entry(f"notebook {event.workflow} started: {event.cells} cells on kernel {event.kernel}")
            else:
                cells.append(event)
        if cells:
            first, last = cells[0], cells[-1]
            seconds = sum(each.result.duration_s for each in cells)
            name = self._name(first) if first is last else f"cells {first.number} to {last.number} of {self._cells}"
            self._entry(f"{name} succeeded in {seconds:.2f} s")
        self._unsaid = []

    def _name(self, event: events.CellStarted | events.CellFinished) -> str:
        return f"cell {event.number}/{self._cells}"

    def _write(self, event: events.Stream) -> None:
        """Write text into the compute log; it has what was overwritten, which the notebook does not keep."""
        stdout, stderr = follower().streams or (sys.stdout, sys.stderr)
        target = stderr if event.name == "stderr" else stdout
        before, limit, text = self._streamed, self._limits.notebook, event.text
        self._streamed += len(text)
        if limit is not None and self._streamed > limit:
            if before > limit:
                return
            mark = f"more follows; OutputLimits.notebook says that {in_words(limit)} are logged"
            text = f"{text[: limit - before]}\n[nb_dagster: {mark}]\n"
        target.write(text)
        target.flush()

    def _entry(self, message: str, **markers: str) -> None:
        if self._has_room():
            self.event(message, {}, **markers)

    def _has_room(self) -> bool:
        """Whether there may be one more entry; the last that there may be says so."""
        self._written += 1
        limit = self._limits.events
        if self._written == limit:
            self.event(f"more follows; OutputLimits.events says that {limit:,} entries are logged", {})
        return limit is None or self._written < limit


def _usage(event: events.Usage) -> str:
    memory = f"{in_words(event.memory)} of memory, {in_words(event.peak_memory)} at most"
    return f"running for {event.elapsed_s:.0f} s with {memory}"
