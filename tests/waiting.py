"""Waiting for what other processes and threads do, without a guess of how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE = 0.02


def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in time."""
    give_up = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < give_up:
        time.sleep(PAUSE)
    return held


def wait_until(condition: Callable[[], bool], within: float = 10, told: Callable[[], str] = str) -> None:
    """Go on when a condition is true; fail when it does not come true in time, with what there is to tell then."""
    assert holds_within(within, condition), f"not so within {within:g} s\n{told()}"
