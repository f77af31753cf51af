"""Runs for code that is not asynchronous: one event loop in a thread of its own, shared by all runs of the process.

Never the main thread: Dagster delivers a cancel there, and nbclient would take over its signal handlers.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Iterator

from nb_dagster.runner.events import Event, Finished
from nb_dagster.runner.execution import Execution
from nb_dagster.runner.prepared import prepare
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


class BackgroundRun:
    """A run that goes on in the background while this thread reads its events.

    Args:
        run: what to run; it starts at once.

    Raises:
        RunRefused: before anything was started.

    Example:
        >>> for event in BackgroundRun(NotebookRun("train.ipynb", output="out.ipynb")).events():
        ...     print(event)
    """

    def __init__(self, run: NotebookRun) -> None:
        self._execution = Execution(prepare(run))
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._ended = False
        self._loop = _background_loop()
        self._pumped = asyncio.run_coroutine_threadsafe(self._pump(), self._loop)

    def events(self) -> Iterator[Event]:
        """Its events until ``Finished``; asked again, those that are left."""
        while not self._ended:
            event = self._queue.get()
            if event is None:
                self._ended = True
                self._pumped.result()
                return
            yield event

    def cancel(self) -> None:
        """Stop it; its events go on until ``Finished``."""
        self._loop.call_soon_threadsafe(self._execution.cancel)

    def result(self) -> NotebookResult:
        """Wait for its end; an interrupt of this thread (Ctrl-C) cancels it first."""
        try:
            return _last_result(self.events())
        except BaseException:
            self.cancel()
            for _ in self.events():
                pass
            raise

    async def _pump(self) -> None:
        try:
            async for event in self._execution.stream():
                self._queue.put(event)
        finally:
            self._queue.put(None)


def _last_result(events: Iterator[Event]) -> NotebookResult:
    result = None
    for event in events:
        if isinstance(event, Finished):
            result = event.result
    assert result is not None, "a run that raised nothing ends with Finished"  # noqa: S101 - an invariant of ours
    return result


def _background_loop() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one loop a process
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="nb_dagster", daemon=True).start()
        return _loop


def _forget_loop() -> None:
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):  # a forked child has our module, but not our thread
    os.register_at_fork(after_in_child=_forget_loop)
