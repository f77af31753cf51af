"""A kernel provisioner for any Jupyter client: kernels are forked where that is possible, and spawned where not."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from nb_dagster.kernel import fork_servers
from nb_dagster.kernel.environment import Environment
from nb_dagster.kernel.fork_client import ForkFailed
from nb_dagster.kernel.forked import ForkedProcess
from nb_dagster.kernel.remote import RemotePlace
from nb_dagster.kernel.specs import LAUNCHER, find_kernel

FORK_PROVISIONER = "nb-dagster-fork"
"""The provisioner's name in a kernel spec: ``{"kernel_provisioner": {"provisioner_name": "nb-dagster-fork"}}``."""

_log = logging.getLogger("nb_dagster")


class ForkProvisioner(LocalProvisioner):
    """Forks ipykernels from a process that has their imports; anything else is spawned, as jupyter_client does.

    A kernel spec may name modules to import before the fork: ``config: {"preload": ["pandas"]}`` of its provisioner.
    """

    preload: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        preload, self._in_place = kwargs.pop("preload", ()), kwargs.pop("in_place", None)
        super().__init__(**kwargs)
        self.preload = tuple(preload)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel, or spawn it: any trouble is one line in the log, never a failed run."""
        if self._in_place is not None:
            return await self._start_remote(cmd, kwargs)
        if LAUNCHER in cmd:
            try:
                process = await asyncio.to_thread(self._fork, cmd, kwargs)
            except ForkFailed as failed:
                _log.warning("a kernel is spawned, not forked: %s", failed)
                process = None
            if process is not None:
                self.process = process  # type: ignore[assignment]  # as much of a Popen as it needs
                self.pid = self.pgid = process.pid
                return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)

    async def _start_remote(self, cmd: list[str], kwargs: dict[str, Any]) -> KernelConnectionInfo:
        place, folder = self._in_place
        starting = asyncio.ensure_future(
            asyncio.to_thread(place.start, folder, cmd, cwd=kwargs["cwd"], environment=kwargs["env"])
        )
        try:
            started = await asyncio.shield(starting)
        except asyncio.CancelledError:
            place.give_up()
            await asyncio.wait({starting})
            if starting.exception() is None:
                await asyncio.to_thread(starting.result().remove)
            raise
        self.process, self.pid = started, started.pid  # as much of a Popen as it needs
        info: KernelConnectionInfo = {**self.connection_info, **started.connection()}
        return info

    def _fork(self, cmd: list[str], kwargs: dict[str, Any]) -> ForkedProcess | None:
        environment = kwargs.get("env") or dict(os.environ)
        server = fork_servers.FORK_SERVERS.find(cmd[0], self.preload, environment)
        if server is None:
            return None
        output: Any = kwargs.get("stderr")
        descriptor = output.fileno() if hasattr(output, "fileno") else os.open(os.devnull, os.O_WRONLY)
        try:
            arguments = cmd[cmd.index(LAUNCHER) + 1 :]
            return server.fork(arguments, kwargs.get("cwd") or os.getcwd(), environment, descriptor)
        finally:
            if not hasattr(output, "fileno"):
                os.close(descriptor)


class SpecsOfEnvironment(KernelSpecManager):
    """Kernels of an existing environment.

    Args:
        environment: where they are.
    """

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernel of that name, in its environment."""
        return find_kernel(kernel_name, kernel_name, self._environment)


class SpecsOfContainer(KernelSpecManager):
    """Kernels that this machine need not have: which there are is known in the container or pod.

    Args:
        place: where they are started.
        folder: the private folder of the one that is.
    """

    def __init__(self, place: RemotePlace, folder: Path) -> None:
        super().__init__()
        self._where = (place, folder)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernel of that name, for the program in the container or pod."""
        provisioner = {"provisioner_name": FORK_PROVISIONER, "config": {"in_place": self._where}}
        return KernelSpec(
            argv=["kernel", kernel_name, "{connection_file}"],
            display_name=kernel_name,
            metadata={"kernel_provisioner": provisioner},
        )
