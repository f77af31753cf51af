"""One kernel process: started in a private folder, watched for its death, gone when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

import psutil

from nb_dagster.kernel.environment import Environment
from nb_dagster.kernel.family import Family
from nb_dagster.kernel.folders import private_folder
from nb_dagster.kernel.memory import OUT_OF_MEMORY, Memory, in_words
from nb_dagster.kernel.remote import EngineFailed, RemoteFamily, RemotePlace, RemoteProcess
from nb_dagster.kernel.watchdog import MARK_VARIABLE, WATCHDOG

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.manager import AsyncKernelManager

START_TIMEOUT = 60.0
"""Seconds a kernel may take to answer its first request."""
INTERRUPT_GRACE = 1.0
"""Seconds a cell may take to answer an interrupt."""
_NO_HISTORY = "--HistoryManager.hist_file=:memory:"  # a run leaves nothing in the user's own history
TERMINATE_GRACE = 1.0
"""Seconds processes may take to end after SIGTERM, before SIGKILL."""
SHUTDOWN_GRACE = 3.0
"""Seconds a kernel whose cells are done may take for its exit handlers."""


class KernelDied(Exception):
    """The kernel process ended; the message says how, in words.

    Attributes:
        is_infrastructure: whether that was no fault of its own.
    """

    def __init__(self, words: str, *, is_infrastructure: bool = False) -> None:
        super().__init__(words)
        self.is_infrastructure = is_infrastructure


class Kernel:
    """A running kernel and the client connected to it.

    Attributes:
        client: its Jupyter client, channels open.
        folder: its private folder.
        memory: its memory, as far as somebody looked.
        remote: what it runs in, where that is a container or pod.
    """

    def __init__(self, manager: AsyncKernelManager, folder: Path) -> None:
        self.manager = manager
        self.folder = folder
        self.client: AsyncKernelClient = manager.client()
        self._died: asyncio.Task[None] | None = None
        process: Any = self.process
        self.remote = process if isinstance(process, RemoteProcess) else None
        if self.remote is None:
            self._family: Family | RemoteFamily = Family(process.pid, str(folder))
            self.memory = Memory(process.pid)
        else:
            self._family, self.memory = RemoteFamily(self.remote), self.remote.memory()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The kernel's process."""
        process: subprocess.Popen[bytes] = self.manager.provisioner.process  # type: ignore[union-attr]
        return process

    @property
    def died(self) -> asyncio.Task[None]:
        """Done as soon as the process has ended."""
        if self._died is None:
            ended = _wait_for_exit(self.process.pid) if self.remote is None else _wait_for_end(self.remote)
            self._died = asyncio.ensure_future(ended)
        return self._died

    async def interrupt(self) -> None:
        """Interrupt the running cell, as the stop button does."""
        with contextlib.suppress(Exception):  # it may just have died, which its own watch reports
            await self.manager.interrupt_kernel()

    def cause_of_death(self) -> str:
        """How the process ended, in words."""
        code = self._exit_code()
        if (lost := self.lost_by) is not None:
            return f"the kernel was lost: {lost}"
        if code is None:
            return "the kernel stopped answering"
        if code >= 0:
            return f"the kernel exited by itself with code {code}{self._last_words()}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        if name == "SIGKILL" and self.memory.killed_by_system():
            return f"the kernel {OUT_OF_MEMORY}, and the system killed it{self._peak()}"
        hint = f" (as the out-of-memory killer does){self._peak()}" if name == "SIGKILL" else ""
        return f"the kernel was killed by {name}{hint}{self._last_words()}"

    @property
    def lost_by(self) -> str | None:
        """What ended it that is no fault of the notebook's, in words; None where there is no such thing."""
        return self.remote.cause_of_death() if self.remote is not None else None

    def _peak(self) -> str:
        return f"; it had {in_words(self.memory.peak)} at most" if self.memory.peak else ""

    def _exit_code(self) -> int | None:
        """The exit code of a process that has ended, which may take a moment to arrive."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(TERMINATE_GRACE)
        return None

    def _last_words(self) -> str:
        """The last line the process wrote beside its protocol, where it wrote any."""
        try:
            lines = (self.folder / "kernel.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1].strip()[:300]}" if lines else ""

    async def shut_down(self) -> None:
        """Ask it to end, and wait for its exit handlers."""
        with contextlib.suppress(Exception):  # a kernel that cannot be asked is ended by close()
            self.client.shutdown()
            await asyncio.wait({self.died}, timeout=SHUTDOWN_GRACE)

    async def terminate(self) -> None:
        """SIGTERM to it and its children, and a moment for them to end."""
        self._family.signal(signal.SIGTERM)
        await asyncio.wait({self.died}, timeout=TERMINATE_GRACE)

    async def close(self) -> None:
        """Kill whatever is left of it and its children."""
        self._family.kill()
        await asyncio.wait({self.died}, timeout=TERMINATE_GRACE)
        self.died.cancel()
        if self.remote is None:
            self._exit_code()
        else:
            try:
                await asyncio.to_thread(self.remote.remove)
            except RuntimeError:  # this process is ending, and takes no more work for its threads
                self.remote.remove()
        self.client.stop_channels()
        await self.manager.cleanup_resources(restart=False)


@contextlib.asynccontextmanager
async def open_kernel(
    name: str,
    cwd: Path,
    environment: Mapping[str, str],
    preload: Sequence[str] = (),
    setup: str = "",
    *,
    place: RemotePlace | None = None,
    installed_in: Environment | None = None,
) -> AsyncIterator[Kernel]:
    """Start a kernel, wait until it answers, and leave nothing of it behind.

    Args:
        name: an installed kernel.
        cwd: its working directory.
        environment: all its environment variables.
        preload: modules that the kernel is worth being forked with.
        setup: code it runs, silently, before anything else; it may run twice.
        place: the container or pod it is started in; None starts it beside this process.
        installed_in: the existing environment that it is in; None takes one that Jupyter knows.

    Raises:
        KernelDied: it ended, or did not answer, before its first cell.
        EngineFailed: there is no container for it.
    """
    with private_folder() as folder, WATCHDOG.over(str(folder)):
        manager = _manager(name, folder, preload, place, installed_in)
        environment = {**environment, MARK_VARIABLE: str(folder)}
        try:
            with open(folder / "kernel.log", "wb") as log:
                await manager.start_kernel(
                    cwd=str(cwd),
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    extra_arguments=[_NO_HISTORY] if manager.ipykernel or place else [],
                )
        except asyncio.CancelledError:
            if manager.provisioner is not None and manager.provisioner.has_process:
                await Kernel(manager, folder).close()
            raise
        except EngineFailed:
            raise
        except Exception as error:
            raise KernelDied(f"the kernel {name!r} could not be started ({type(error).__name__}: {error})") from None
        kernel = Kernel(manager, folder)
        try:
            await _shake_hands(kernel, setup)
            yield kernel
        finally:
            await kernel.close()


def _manager(
    name: str, folder: Path, preload: Sequence[str], place: RemotePlace | None, installed_in: Environment | None
) -> AsyncKernelManager:
    from jupyter_client.manager import AsyncKernelManager

    from nb_dagster.kernel.provisioner import FORK_PROVISIONER, SpecsOfContainer, SpecsOfEnvironment

    specs: dict[str, Any] = {}
    if place is not None:
        specs = {"kernel_spec_manager": SpecsOfContainer(place, folder)}
    elif installed_in is not None:
        specs = {"kernel_spec_manager": SpecsOfEnvironment(installed_in)}
    manager = AsyncKernelManager(kernel_name=name, connection_file=str(folder / "kernel.json"), **specs)
    if os.name == "posix":
        manager.transport = "ipc"  # no ports to collide, nobody else's process can connect
        manager.ip = str(folder / "kernel-ipc")
    spec = manager.kernel_spec
    if spec is not None and "kernel_provisioner" not in spec.metadata:
        provisioner = {"provisioner_name": FORK_PROVISIONER, "config": {"preload": list(preload)}}
        spec.metadata = {**spec.metadata, "kernel_provisioner": provisioner}
    return manager


async def _shake_hands(kernel: Kernel, setup: str) -> None:
    """Connect when the sockets are bound; ready means a reply on shell and something heard on IOPub.

    jupyter_client's own ``wait_for_ready`` sleeps 200 ms, and connecting before the bind costs ZMQ's 100 ms retry.
    """
    deadline = time.monotonic() + START_TIMEOUT
    if kernel.manager.transport == "ipc":
        await _wait_for_sockets(kernel, deadline)
    kernel.client.start_channels(hb=False, stdin=False)  # input() fails at once: nobody is there to answer
    while True:
        if setup:
            kernel.client.execute(setup, silent=True, store_history=False)
        else:
            kernel.client.kernel_info()
        with contextlib.suppress(Empty):
            await kernel.client.get_shell_msg(timeout=0.5)
            await kernel.client.get_iopub_msg(timeout=0.1)
            return
        _check_start(kernel, deadline)


async def _wait_for_sockets(kernel: Kernel, deadline: float) -> None:
    ports: Mapping[str, Any] = kernel.manager.get_connection_info()
    sockets = [f"{kernel.manager.ip}-{ports[f'{name}_port']}" for name in ("shell", "iopub", "control")]
    while not all(map(os.path.exists, sockets)):
        _check_start(kernel, deadline)
        await asyncio.sleep(0.002)


def _check_start(kernel: Kernel, deadline: float) -> None:
    if kernel.process.poll() is not None:
        words = f"before its first cell {kernel.cause_of_death()}"
        raise KernelDied(words, is_infrastructure=kernel.lost_by is not None)
    if time.monotonic() > deadline:
        raise KernelDied(f"the kernel did not answer within {START_TIMEOUT:g} s")


async def _wait_for_end(container: RemoteProcess) -> None:
    await asyncio.wait({asyncio.wrap_future(container.ended)})


async def _wait_for_exit(pid: int) -> None:
    """Return when the process has ended; at once where the system can tell, else within 0.2 s."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.2)
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(descriptor, lambda: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
