"""One process at a time in what Dagster's home does not keep apart by itself."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from nb_dagster.kernel.locks import lock

_FILE = ".nb_dagster.lock"
_threads = threading.Lock()


@contextlib.contextmanager
def alone_in(home: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other process or thread of this machine is in such a block of the same home.

    Its end is the end of the process at the latest, however that ends.
    """
    with _threads:
        if os.name != "posix":  # no such locks there
            yield
            return
        folder = Path(home) if os.access(home, os.W_OK) else Path(tempfile.gettempdir())
        with open(folder / _FILE, "a", encoding="ascii") as file:
            lock(file.fileno())
            yield


def alone_with(instance: dg.DagsterInstance) -> contextlib.AbstractContextManager[None]:
    """The same for the home of a history, which one in memory does not have.

    With SQLite, unlike PostgreSQL, two may make a slot twice, and two that add a tag at once lose one of them.
    """
    return contextlib.nullcontext() if instance.is_ephemeral else alone_in(instance.root_directory)
