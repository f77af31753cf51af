"""A Dagster run in this thread that somebody here follows: who hears its events, and what they want otherwise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nb_dagster.runner.events import Event

Listener: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Follower:
    """Somebody who runs notebooks here and now.

    Attributes:
        listener: called with each event.
        options: ``kernel``, ``cwd``, ``timeout`` and ``cell_timeout``, which go before those of the definition.
    """

    listener: Listener = lambda _: None
    options: Mapping[str, Any] = field(default_factory=dict)


_follower: ContextVar[Follower] = ContextVar("nb_dagster_follower", default=Follower())  # noqa: B039 - it is frozen


@contextlib.contextmanager
def follow(listener: Listener, options: Mapping[str, Any]) -> Iterator[None]:
    """Follow the notebooks that Dagster steps run inside of the block, in this thread."""
    token = _follower.set(Follower(listener, {name: value for name, value in options.items() if value is not None}))
    try:
        yield
    finally:
        _follower.reset(token)


def follower() -> Follower:
    """Who follows the run of this thread; by default nobody, who wants nothing."""
    return _follower.get()
