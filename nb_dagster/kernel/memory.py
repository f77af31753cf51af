"""A kernel's memory: how much it has, how much it had at most, and whether the system killed it for it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

OUT_OF_MEMORY = "ran out of memory"
"""What every reason says of a kernel or step that had too much of it."""
_CGROUPS = Path("/sys/fs/cgroup")
_KERNEL_LOG = "/dev/kmsg"
_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


@dataclass
class Memory:
    """The memory of a kernel and its children, as far as it was looked at.

    Attributes:
        pid: the kernel's process.
        now: bytes, at the last look.
        peak: bytes, at most.
    """

    pid: int
    now: int = 0
    peak: int = 0
    _counters: list[Path] = field(default_factory=list)
    _kills: int = 0

    def __post_init__(self) -> None:
        self._counters = list(_oom_counters(self.pid))
        self._kills = _count(self._counters)

    def look(self) -> None:
        """Measure it again; after its end, what was seen last stays."""
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            self.now = sum(psutil.Process(pid).memory_info().rss for pid in _tree(self.pid))
            self.peak = max(self.peak, self.now, _high_water_mark(self.pid))

    def killed_by_system(self) -> bool:
        """Whether there is evidence that it ran out of memory: its control group's counter, or the system's log."""
        return _count(self._counters) > self._kills or _is_in_kernel_log(self.pid)


def in_words(size: int) -> str:
    """A number of bytes for people."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _tree(pid: int) -> Iterator[int]:
    """A process and its descendants. Where ``/proc`` tells of children, nobody else's processes are looked at."""
    if not os.path.exists("/proc/self/task"):
        yield from (each.pid for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)))
        return
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):  # it has ended
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split():
                yield from _tree(int(child))


def _high_water_mark(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(match[1]) * 1024 if match else 0
    return 0


def _oom_counters(pid: int) -> Iterator[Path]:
    """The files that count kills for lack of memory in a process's control group, of either version.

    In a container the path that ``/proc`` names is the host's, and the root is the container's own group.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            candidates = [_CGROUPS / "memory" / path.lstrip("/"), _CGROUPS / "memory"]
            names = [each / "memory.oom_control" for each in candidates]
        elif controllers == "":
            names = [each / "memory.events" for each in (_CGROUPS / path.lstrip("/"), _CGROUPS)]
        else:
            continue
        yield from [each for each in names if each.exists()][:1]


def _count(counters: list[Path]) -> int:
    total = 0
    for each in counters:
        with contextlib.suppress(OSError):
            total += sum(map(int, _OOM_KILLS.findall(each.read_text(encoding="utf-8"))))
    return total


def _is_in_kernel_log(pid: int) -> bool:
    """Whether the system's log says that it killed the process; only where this process may read it."""
    try:
        log = os.open(_KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    said = re.compile(rf"Killed process {pid}\b".encode())
    try:
        while entry := os.read(log, 1 << 13):
            if said.search(entry):
                return True
    except OSError:  # its end, for a descriptor that does not wait
        pass
    finally:
        os.close(log)
    return False
