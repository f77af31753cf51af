"""Watching for something while something else goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def watching(is_so: Callable[[], bool], then: Callable[[], None], *, every: float) -> Iterator[threading.Event]:
    """Look again and again, in a thread, for as long as the block takes.

    Args:
        is_so: what is looked for.
        then: called once, as soon as it is so.
        every: seconds between two looks.

    Yields:
        An event that ends the watch when it is set.
    """
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(every):
            if is_so() and not is_over.is_set():
                then()
                return

    watcher = threading.Thread(target=watch, name="nb_dagster watch", daemon=True)
    watcher.start()
    try:
        yield is_over
    finally:
        is_over.set()
        watcher.join()
