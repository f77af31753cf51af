"""A Docker engine of a test's own, which it may stop: the programs of this machine's engine, apart from that one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import containers
from tests.waiting import holds_within

READY = 30
"""Seconds until it answers, or has ended."""


class OwnEngine:
    """The engine, in a network namespace of its own: two in one would change each other's networks.

    What runs in its containers goes on without it.

    Attributes:
        url: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/docker.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [
            *("unshare", "--net", "dockerd", "--host", self.url, "--pidfile", str(folder / "pid")),
            *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
            *("--bridge", "none", "--iptables=false", "--live-restore", "--log-level", "warn"),
        ]

    def client(self) -> Any:
        """A client of it."""
        import docker

        return docker.DockerClient(base_url=self.url, timeout=60)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self._folder / "pid").unlink(missing_ok=True)
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        assert holds_within(READY, self._answers), (self._folder / "log").read_text()

    def stop(self, number: signal.Signals) -> None:
        """Stop it by a signal."""
        assert self._process is not None
        containerd = psutil.Process(self._process.pid).children()
        self._process.send_signal(number)
        self._process.wait(READY)
        _, alive = psutil.wait_procs(containerd, READY)
        assert alive == [], "its containerd, which the next one would take for its own"
        self._process = None

    def close(self) -> None:
        """End it, and all that it runs."""
        if self._process is None:
            self.start()
        with closing(self.client()) as client:
            for container in client.containers.list(all=True):
                container.remove(force=True)
        self.stop(signal.SIGTERM)

    def _answers(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as door:  # the SDK leaves its own open where nobody answers
            if door.connect_ex(self.url.removeprefix("unix://")):
                return False
        with closing(self.client()) as client:
            return bool(client.ping())


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """One that has the tests' image; the test is skipped where none can be had."""
    containers.engine().close()
    if os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "unshare"))):
        pytest.skip("an engine of one's own needs root, dockerd and unshare")
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as folder:
        own = OwnEngine(Path(folder))
        own.start()
        try:
            with closing(own.client()) as client, closing(containers.engine()) as theirs:
                client.images.load(theirs.images.get(containers.IMAGE).save(named=True))
            yield own
        finally:
            own.close()
