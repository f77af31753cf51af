"""Watching one cell: its limits and the run's, a cancel, and the kernel's life."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from nb_dagster.runner.ending import Ending, Stopped
from nb_dagster.runner.run import Limits


class Watch:
    """Waits for cells of one run, and says why one must stop.

    Args:
        limits: the run's limits; the run's time counts from now.
        cancelled: set when somebody cancels the run.
    """

    def __init__(self, limits: Limits, cancelled: asyncio.Event) -> None:
        self._limits = limits
        self._cancelled = cancelled
        self._run_started = self._heard = time.monotonic()

    def heard(self) -> None:
        """The notebook gave a sign of life."""
        self._heard = time.monotonic()

    async def over(self, cell: asyncio.Future[Any], died: asyncio.Future[None]) -> Any:
        """The cell's result.

        Raises:
            Stopped: it must stop before it ended by itself.
        """
        cell_started = self._heard = time.monotonic()
        cancel = asyncio.ensure_future(self._cancelled.wait())
        try:
            while True:
                deadline, ending = self._next_deadline(cell_started)
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                await asyncio.wait({cell, died, cancel}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if cell.done():
                    return cell.result()
                if cancel.done():
                    raise Stopped(Ending("cancelled", "cancelled"))
                if died.done():
                    raise Stopped(Ending("killed"))
                if deadline is not None and ending is not None and self._next_deadline(cell_started)[0] == deadline:
                    raise Stopped(ending)
        finally:
            cancel.cancel()

    def _next_deadline(self, cell_started: float) -> tuple[float | None, Ending | None]:
        """When the first limit is reached, and what it means."""
        limits = self._limits
        bounds = (
            (self._run_started, limits.timeout, "the run timeout of {:g} s was over"),
            (cell_started, limits.cell_timeout, "the cell timeout of {:g} s was over"),
            (self._heard, limits.stall_timeout, "the stall timeout of {:g} s was over without any output"),
        )
        deadlines = [(start + limit, Ending("timed_out", text.format(limit))) for start, limit, text in bounds if limit]
        return min(deadlines, key=lambda each: each[0]) if deadlines else (None, None)
