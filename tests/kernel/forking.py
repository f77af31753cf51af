"""Fork servers for tests, and runs whose kernels come from them."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from nb_dagster.direct import run_notebook
from nb_dagster.kernel import fork_servers
from nb_dagster.kernel.fork_client import ForkServer
from nb_dagster.kernel.fork_servers import ForkServers
from nb_dagster.runner.result import NotebookResult
from tests.notebooks import read, write_notebook

PRELOAD = ("numpy",)
_PARENT = "import os\nnb.output('parent', os.getppid())"


@contextmanager
def fork_servers_of_its_own() -> Iterator[ForkServers]:
    """The fork servers of this process, none at first; ended with the block."""
    with pytest.MonkeyPatch.context() as patch:
        servers = ForkServers()
        patch.setattr(fork_servers, "FORK_SERVERS", servers)
        yield servers
        servers.close()


def ready(servers: ForkServers, *preload: str, environment: Mapping[str, str] | None = None) -> ForkServer:
    """The server of a kind, as soon as it is up."""
    servers.expect(sys.executable, preload, environment)
    deadline = time.monotonic() + 60
    while (server := servers.find(sys.executable, preload, environment)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server


class Runs:
    """Runs cells, and sees to it that their kernel was forked, or spawned, as is asked.

    Args:
        folder: takes the notebooks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    def forked(self, *cells: str, server: ForkServer | None = None, **options: Any) -> NotebookResult:
        """Run cells on a kernel of the server, by default the one with :data:`PRELOAD`."""
        found = server or fork_servers.FORK_SERVERS.find(sys.executable, options.get("preload", PRELOAD))
        result = self.run(*cells, **options)
        assert found is not None
        assert result.outputs["parent"] == found.pid, "it was spawned"
        return result

    def spawned(self, *cells: str, **options: Any) -> NotebookResult:
        """Run cells on a kernel that was started in the ordinary way."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(fork_servers.SWITCH, "off")
            result = self.run(*cells, **options)
        assert result.outputs["parent"] == os.getpid(), "it was forked"
        return result

    def run(self, *cells: str, status: str = "succeeded", **options: Any) -> NotebookResult:
        """Run cells on whatever kernel they get."""
        number = next(self._numbers)
        path = write_notebook(self.folder / f"{number}.ipynb", _PARENT, *cells)
        result = run_notebook(path, output=self.folder / f"{number}.out.ipynb", **{"preload": PRELOAD, **options})
        assert result.status == status, result.reason
        return result


def shown(result: NotebookResult) -> list[list[dict[str, Any]]]:
    """The outputs of each cell, but for the first, which :class:`Runs` has put there."""
    return [cell["outputs"] for cell in read(result.executed_notebook)["cells"][1:]]


def wait_until_gone(*pids: int) -> None:
    """Wait for the end of processes that were killed; one whose end nobody has asked for is gone."""
    deadline = time.monotonic() + 10
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
