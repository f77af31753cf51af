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
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cancelled = asyncio.Event()
        self._ending = Ending("cancelled")
        self._run_started = self._heard = time.monotonic()

    def stop(self, ending: Ending) -> None:
        """Stop the run; the first reason counts."""
        if not self._cancelled.is_set():
            self._ending = ending
            self._cancelled.set()

    def heard(self) -> None:
        """The notebook gave a sign of life."""
        self._heard = time.monotonic()

    async def opened(self, opening: asyncio.Future[Any]) -> Any:
        """What the run needs before its first cell; the run's own limit is the only one that counts yet.

        Raises:
            Stopped: the run must stop before it is there.
        """
        return await self._first(opening, set(), None)

    async def over(self, cell: asyncio.Future[Any], died: asyncio.Future[None]) -> Any:
        """The cell's result.

        Raises:
            Stopped: it must stop before it ended by itself.
        """
        self._heard = time.monotonic()
        return await self._first(cell, {died}, self._heard)

    async def _first(
        self, work: asyncio.Future[Any], died: set[asyncio.Future[None]], cell_started: float | None
    ) -> Any:
        """The work's result, unless a cancel, a death or a limit comes first."""
        cancel = asyncio.ensure_future(self._cancelled.wait())
        try:
            while True:
                deadline, ending = self._next_deadline(cell_started)
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                await asyncio.wait({work, cancel, *died}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    return work.result()
                if cancel.done():
                    raise Stopped(self._ending)
                if any(each.done() for each in died):
                    raise Stopped(Ending("killed"))
                if deadline is not None and ending is not None and self._next_deadline(cell_started)[0] == deadline:
                    raise Stopped(ending)
        finally:
            cancel.cancel()

    def _next_deadline(self, cell_started: float | None) -> tuple[float | None, Ending | None]:
        """When the first limit is reached, and what it means."""
        limits = self._limits
        bounds = [(self._run_started, limits.timeout, "the run timeout of {:g} s was over")]
        if cell_started is not None:
            bounds += [
                (cell_started, limits.cell_timeout, "the cell timeout of {:g} s was over"),
                (self._heard, limits.stall_timeout, "the stall timeout of {:g} s was over without any output"),
            ]
        deadlines = [(start + limit, Ending("timed_out", text.format(limit))) for start, limit, text in bounds if limit]
        return min(deadlines, key=lambda each: each[0]) if deadlines else (None, None)
