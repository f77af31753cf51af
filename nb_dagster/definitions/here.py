"""A Dagster run in this thread that somebody here follows: who hears its events, and what they want otherwise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn, TypeAlias

from nb_dagster.errors import RunRefused
from nb_dagster.runner.events import Event
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun

Listener: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Follower:
    """Somebody who runs notebooks here and now.

    Attributes:
        listener: called with each event.
        options: ``kernel``, ``cwd``, ``timeout``, ``cell_timeout`` and ``single_flight``, which go before those of the definition.
        environment: variables for the kernel, which go behind those of the definition.
        instead: takes what a step would run, in place of running it; it raises.
        as_of: what was materialized after it, in seconds since the epoch, is not seen; None sees all.
        streams: where the notebook's standard output and error go; None is this process's own.
        on_start: called with each run as it starts; who cancels one is to expect the step's interrupt.
        on_refuse: called with the words of a run that does not start.
        on_end: called with each result, when its notebook is where it is kept.
    """

    listener: Listener = lambda _: None
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    on_start: Callable[[Any], None] = lambda _: None
    on_refuse: Callable[[RunRefused], None] = lambda _: None
    on_end: Callable[[NotebookResult], None] = lambda _: None
    instead: Callable[[NotebookRun], NoReturn] | None = None
    as_of: float | None = None
    streams: tuple[IO[str], IO[str]] | None = None


_follower: ContextVar[Follower] = ContextVar("nb_dagster_follower", default=Follower())  # noqa: B039 - it is frozen


@contextlib.contextmanager
def follow(new: Follower) -> Iterator[None]:
    """Follow the notebooks that Dagster steps run inside of the block, in this thread."""
    token = _follower.set(new)
    try:
        yield
    finally:
        _follower.reset(token)


def follower() -> Follower:
    """Who follows the run of this thread; by default nobody, who wants nothing."""
    return _follower.get()
