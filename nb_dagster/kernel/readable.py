"""Waiting for something to read, with any number of files open."""

from __future__ import annotations

import select


def is_readable(descriptor: int, seconds: float | None) -> bool:
    """Whether there is something to read, or its end, within a time; ``select`` itself knows no descriptor above 1023.

    Args:
        descriptor: of an open pipe or socket.
        seconds: how long to wait; None for as long as it takes.
    """
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if seconds is None else max(0.0, seconds) * 1000))
