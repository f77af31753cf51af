"""What is started in a container or pod, as its worker sees it: a process that is watched, signalled, and removed."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import Any, ClassVar

from nb_dagster.kernel.memory import Memory

LOST_VARIABLE = "NB_DAGSTER_LOST"
"""Set in the pod of a step: a file that says why the step has to end, as soon as it is there."""


class EngineFailed(OSError):
    """The Docker engine, or the cluster, does not answer, or does not do what it was asked for; the message says what."""


_SIGNALLED = 128  # a shell's way to say by which signal a process ended


def exit_code(said: int) -> int:
    """An exit code as an engine says it, as Python has it: negative for a signal."""
    return said if said <= _SIGNALLED else _SIGNALLED - said


def in_background(pool: ThreadPoolExecutor, work: Callable[..., object], *arguments: object) -> None:
    """Have something done by a pool's thread; at once where this process is ending, and takes no more work for those."""
    try:
        pool.submit(work, *arguments)
    except RuntimeError:
        work(*arguments)


class RemoteProcess(ABC):
    """A process in a container or pod, as far as jupyter_client needs a ``subprocess.Popen``.

    Attributes:
        pid: its number, where it has one here; 0 where it has none.
        ended: its exit code, as soon as it has one; negative for a signal.
        is_out_of_memory: whether there is evidence that it ran out of memory.
    """

    stdin = stdout = stderr = None
    pid: int
    is_out_of_memory: bool
    _requests: ClassVar[ThreadPoolExecutor]  # what is asked of the engine or of pods, and need not be waited for

    def __init__(self) -> None:
        self.ended: Future[int] = Future()
        self.is_out_of_memory = False

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.ended.result() if self.ended.done() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        try:
            return self.ended.result(timeout)
        except NotYet:
            raise subprocess.TimeoutExpired(type(self).__name__, timeout or 0) from None

    def send_signal(self, number: int) -> None:
        """Send its main process a signal, if it is still there; without waiting."""
        in_background(self._requests, self._signal, number)

    @abstractmethod
    def _signal(self, number: int) -> None:
        """Send it now."""

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, to all that is in it."""
        self.send_signal(signal.SIGKILL)

    @abstractmethod
    def memory(self) -> Memory:
        """The memory of what runs in it."""

    @abstractmethod
    def cause_of_death(self) -> str | None:
        """What ended it from outside, in words; None where its exit code says all."""

    @abstractmethod
    def how_it_ended(self) -> str:
        """How it ended, in words; it waits for that."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what it ran in, and end it where it still runs."""

    def connection(self) -> Mapping[str, Any]:
        """What a client needs to know to reach the kernel in it, beside what it was told; nothing by default."""
        return {}

    @abstractmethod
    def bring(self, name: str) -> None:
        """Have a file of the run's folder here, where that is not the same folder.

        Args:
            name: its path in that folder.

        Raises:
            OSError: it cannot be had.
        """


class RemotePlace(ABC):
    """A container or pod that a kernel is to be started in."""

    @abstractmethod
    def start(self, folder: Path, command: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> RemoteProcess:
        """Start a command, and return as soon as it runs.

        Args:
            folder: a private folder of this process.
            command: ``kernel NAME CONNECTION_FILE …``.
            cwd: the working directory.
            environment: variables that are set for it.

        Raises:
            EngineFailed: it cannot be started.
        """

    @abstractmethod
    def give_up(self) -> None:
        """End a start that is going on in another thread."""


class RemoteMemory(Memory):
    """The memory of what runs in a container or pod."""

    def __init__(self, process: RemoteProcess) -> None:
        super().__init__(process.pid)
        self._process = process

    def killed_by_system(self) -> bool:
        """Whether there is evidence, where it runs, that it ran out of memory."""
        return self._process.is_out_of_memory


class RemoteFamily:
    """The processes in a container or pod."""

    def __init__(self, process: RemoteProcess) -> None:
        self._process = process

    def signal(self, number: signal.Signals) -> None:
        """Send its main process a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill all of them."""
        self._process.kill()
