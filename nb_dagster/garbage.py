"""Python's garbage collector, in processes that are over soon and whose objects are modules, nearly all.

It goes through Dagster's modules again and again while they are imported, and once more when the process ends, which takes
more than half a second. What others' code has made is gone through as ever.
"""

import atexit
import gc

_ALLOCATIONS = 50_000
"""Objects after which the youngest are gone through; Python's own 700 are reached hundreds of times in an import of Dagster."""


def collect_rarely() -> None:
    """Have garbage collected rarely in this process, which runs nobody else's code, and not when it ends."""
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(gc.freeze)


def leave_out_what_is_here() -> None:
    """Have what this process has until now, its modules, left out of every collection; others' code follows."""
    atexit.unregister(gc.freeze)
    gc.freeze()
