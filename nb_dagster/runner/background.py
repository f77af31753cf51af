"""Runs for code that is not asynchronous: one event loop in a thread of its own, shared by all runs of the process.

Never the main thread: Dagster delivers a cancel there, and nbclient would take over its signal handlers.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import multiprocessing.util
import os
import queue
import threading
from collections.abc import Iterator

from nb_dagster.runner.backlog import Backlog
from nb_dagster.runner.events import Event, Finished
from nb_dagster.runner.execution import Execution
from nb_dagster.runner.prepared import prepare
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_going: set[BackgroundRun] = set()


class BackgroundRun:
    """A run that goes on in the background while this thread reads its events.

    Args:
        run: what to run; it starts at once.

    Attributes:
        ended: done when its kernel is gone, a moment after its result.

    Raises:
        RunRefused: before anything was started.

    Example:
        >>> for event in BackgroundRun(NotebookRun("train.ipynb", output="out.ipynb")).events():
        ...     print(event)
    """

    def __init__(self, run: NotebookRun) -> None:
        self._execution = Execution(prepare(run))
        self._backlog = Backlog()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()  # has one item at most
        self._ended = False
        self._result: concurrent.futures.Future[NotebookResult] = concurrent.futures.Future()
        self._loop = _background_loop()
        self.ended = asyncio.run_coroutine_threadsafe(self._pump(), self._loop)
        _going.add(self)
        self.ended.add_done_callback(lambda _: _going.discard(self))

    def events(self) -> Iterator[Event]:
        """Its events until ``Finished``; asked again, those that are left."""
        return iter(self.next_event, None)

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Its next event; None when ``Finished`` was the last one.

        Args:
            timeout: seconds to wait for it.

        Raises:
            queue.Empty: nothing happened for so long.
        """
        if self._ended:
            return None
        event = self._take(timeout)
        if event is None:
            self._ended = True
            self._result.result()  # raises what broke the run
        return event

    @property
    def has_result(self) -> bool:
        """Whether it is over."""
        return self._result.done()

    def cancel(self, why: str = "cancelled") -> None:
        """Stop it, for a reason in words; its events go on until ``Finished``."""
        self._loop.call_soon_threadsafe(self._execution.cancel, why)

    def lose(self, why: str) -> None:
        """End it as killed, since what it runs on is going, for a reason in words."""
        self._loop.call_soon_threadsafe(self._execution.lose, why)

    def result(self) -> NotebookResult:
        """Wait for its end; an interrupt of this thread (Ctrl-C) cancels it first."""
        try:
            return self._result.result()
        except BaseException:
            self.cancel()
            concurrent.futures.wait([self._result])
            raise

    def _take(self, timeout: float | None) -> Event | None:
        while True:
            try:
                return self._backlog.take()
            except IndexError:
                self._wake.get(timeout=timeout)

    def _put(self, event: Event | None) -> None:
        self._backlog.add(event)
        if self._wake.empty():
            self._wake.put(None)

    async def _pump(self) -> None:
        try:
            async for event in self._execution.stream():
                self._put(event)
                if isinstance(event, Finished):
                    self._put(None)
                    self._result.set_result(event.result)
        except BaseException as error:
            if self._result.done():
                raise
            self._put(None)
            self._result.set_exception(error)


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
    _going.clear()


if hasattr(os, "register_at_fork"):  # a forked child has our module, but not our thread
    os.register_at_fork(after_in_child=_forget_loop)


def settle(timeout: float = 10.0) -> None:
    """Wait until the kernels of all runs that are over have ended.

    Args:
        timeout: seconds, at most; a kernel has :data:`~nb_dagster.kernel.process.SHUTDOWN_GRACE` for its exit handlers.
    """
    concurrent.futures.wait([run.ended for run in list(_going)], timeout=timeout)


def _end_all() -> None:
    """At the end of the process: cancel what still runs, and wait for what ends."""
    for run in list(_going):
        if not run.has_result:
            run.cancel()
    settle()


atexit.register(_end_all)
multiprocessing.util.Finalize(None, _end_all, exitpriority=0)  # a child of multiprocessing ends without atexit
