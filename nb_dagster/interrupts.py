"""Interrupts that come where Python lets none through.

A Ctrl-C, or what a scheduler or Dagster sends as one, is raised in whatever runs at that moment. In a callback of a weak
reference or in a ``__del__``, as they run in a pass of the garbage collector, nothing can be raised: Python tells
:func:`sys.unraisablehook`, and goes on as if nobody had pressed anything. A process that has just imported Dagster spends a
tenth of its time there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_AFTER = 0.05  # seconds
_NAMES = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")  # by name, since most processes have no Dagster yet
_before: Callable[[sys.UnraisableHookArgs], object] | None = None


def come_again() -> None:
    """Have an interrupt that was lost in this process sent again, and again until it is heard."""
    global _before
    if sys.unraisablehook is not _send_again:
        _before, sys.unraisablehook = sys.unraisablehook, _send_again


def _send_again(lost: sys.UnraisableHookArgs) -> None:
    if lost.exc_type.__name__ in _NAMES:
        timer = threading.Timer(_AFTER, os.kill, (os.getpid(), signal.SIGINT))
        timer.daemon = True
        timer.start()
    elif _before is not None:
        _before(lost)
