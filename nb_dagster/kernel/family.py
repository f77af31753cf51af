"""A kernel's processes: itself, its descendants, and those that left it for a session or a parent of their own."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from nb_dagster.kernel.watchdog import marked

_ROUNDS = 3  # a process may start another while it is being looked for


class Family:
    """The processes of one kernel.

    Args:
        pid: the kernel's process.
        mark: the value of ``NB_DAGSTER_KERNEL`` in its environment.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self._pid = pid
        self._mark = mark

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        for process in self._members():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(number)

    def kill(self) -> None:
        """Kill all of them, also those that start meanwhile."""
        for _ in range(_ROUNDS):
            self.signal(signal.SIGKILL)
            if not self._strays():
                break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)  # its group, before its number is free for another

    def _members(self) -> list[psutil.Process]:
        members = {process.pid: process for process in self._strays()}
        with contextlib.suppress(psutil.NoSuchProcess):
            kernel = psutil.Process(self._pid)
            members |= {process.pid: process for process in (kernel, *kernel.children(recursive=True))}
        return list(members.values())

    def _strays(self) -> list[psutil.Process]:
        """Processes with the kernel's mark, whoever their parent is; only where the system has ``/proc``."""
        found = []
        for pid in marked({self._mark}) if os.path.isdir("/proc/self") else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found
