"""When a process that runs notebooks is killed, what its kernels have started is killed too, wherever it went.

A kernel ends with its parent by itself. Its children do not, those in a session of their own least of all. So a small
process waits at the other end of a pipe: it is told which kernels there are, and when the pipe ends before they do, it
kills every process that has their mark, and removes their folders.

This file is the program as well; it is run by path and imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

MARK_VARIABLE = "NB_DAGSTER_KERNEL"
"""Set in a kernel's environment to its private folder; whatever the kernel starts inherits it."""
_SECONDS = 3.0
"""How long the program goes on to look for processes that start others while they are killed."""


class Watchdog:
    """The watchdog of this process, started with its first kernel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folders: set[str] = set()

    @contextlib.contextmanager
    def over(self, folder: str) -> Iterator[None]:
        """Inside of the block, what has this mark is killed when this process is gone.

        Args:
            folder: a kernel's private folder, which is its mark.
        """
        with self._lock:
            self._folders.add(folder)
            if not self._tell(f"+{folder}\n"):
                self._start()
        try:
            yield
        finally:
            with self._lock:
                self._folders.discard(folder)
                self._tell(f"-{folder}\n")

    def drop(self) -> None:
        """In a forked child: the watchdog is the parent's, and must see its end only."""
        if self._process is not None and self._process.stdin is not None:
            os.close(self._process.stdin.fileno())
        self._process, self._folders, self._lock = None, set(), threading.Lock()

    def _tell(self, line: str) -> bool:
        if self._process is None or self._process.stdin is None or self._process.poll() is not None:
            return False
        try:
            os.write(self._process.stdin.fileno(), line.encode())
        except OSError:
            return False
        return True

    def _start(self) -> None:
        if not os.path.isdir("/proc/self"):  # nothing tells of other processes' environment
            return
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
        for folder in self._folders:
            self._tell(f"+{folder}\n")


def marked(folders: set[str]) -> list[int]:
    """Processes whose environment has one of the marks."""
    wanted = {f"{MARK_VARIABLE}={folder}".encode() for folder in folders}
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            path = f"/proc/{name}/environ"
            with contextlib.suppress(OSError), open(path, "rb") as environ:  # gone, or another user's
                if not wanted.isdisjoint(environ.read().split(b"\0")):
                    found.append(int(name))
    return found


def _kill(folders: set[str]) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        found = marked(folders)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.02)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its owner
    folders: set[str] = set()
    for line in sys.stdin:
        (folders.add if line[0] == "+" else folders.discard)(line[1:].rstrip("\n"))
    if folders:
        _kill(folders)


WATCHDOG = Watchdog()

if __name__ == "__main__":
    _main()
elif hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCHDOG.drop)
