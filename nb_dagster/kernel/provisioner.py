"""A kernel provisioner for any Jupyter client: kernels are forked where that is possible, and spawned where not."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from nb_dagster.kernel import fork_servers
from nb_dagster.kernel.fork_client import ForkFailed
from nb_dagster.kernel.forked import ForkedProcess
from nb_dagster.kernel.specs import LAUNCHER

_log = logging.getLogger("nb_dagster")


class ForkProvisioner(LocalProvisioner):
    """Forks ipykernels from a process that has their imports; anything else is spawned, as jupyter_client does.

    A kernel spec may name modules to import before the fork: ``config: {"preload": ["pandas"]}`` of its provisioner.
    """

    preload: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        preload = kwargs.pop("preload", ())
        super().__init__(**kwargs)
        self.preload = tuple(preload)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel, or spawn it: any trouble is one line in the log, never a failed run."""
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
