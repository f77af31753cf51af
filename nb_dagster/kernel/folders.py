"""Private folders of runs: only ours to read, short enough for sockets, and removed also after a crash."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nb_dagster.kernel.locks import try_lock

KEPT_PREFIX = "nb_dagster-kept-"
"""How folders are called that take notebooks which cannot be where they should."""
KEPT_VARIABLE = "NB_DAGSTER_KEPT"
"""Set in the container of a step: the folder of its machine in which such folders are made."""
_PREFIX = "nbd-"
LOCK = ".lock"
"""A file in a private folder that its owner has locked as long as it lives."""
_MAX_SOCKET_PATH = 100  # AF_UNIX allows 107 bytes
_LONGEST_SOCKET = "/kernel-ipc-5"


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder of mode 700, gone after the block; where this process is killed, gone with a later one's first."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_parent()))
    try:
        with open(folder / LOCK, "w", encoding="utf-8") as lock:
            try_lock(lock.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def kept_if_used(folder: Path) -> Iterator[Path]:
    """A folder that a container is given, which goes after the block where nothing was put into it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


@functools.cache
def sweep() -> None:
    """Remove the folders of processes that are gone; once a process."""
    if os.name != "posix":  # where it cannot be told who is gone
        return
    for folder in Path(_parent()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if (
                folder.stat().st_uid == os.getuid()
                and time.time() - folder.stat().st_mtime > 60
                and is_abandoned(folder)
            ):
                shutil.rmtree(folder, ignore_errors=True)


def umask() -> int:
    """This process's mask of new files; the system tells it only to who sets it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _parent() -> str:
    own = tempfile.gettempdir()
    fits = os.name != "posix" or len(own) + len(f"/{_PREFIX}xxxxxxxx{_LONGEST_SOCKET}") < _MAX_SOCKET_PATH
    return own if fits else "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it


def is_abandoned(folder: Path) -> bool:
    """Whether the owner of a private folder is gone."""
    try:
        with open(folder / LOCK, encoding="utf-8") as lock:
            return try_lock(lock.fileno())
    except FileNotFoundError:
        return True
