"""Locks that a process holds as long as it lives, whatever ends it."""

from __future__ import annotations

import os


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process; False where another holds it. Where the system has no such locks, always True."""
    if os.name != "posix":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock(descriptor: int) -> None:
    """Lock an open file for this process; waits while another holds it. Only where the system has such locks."""
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX)
