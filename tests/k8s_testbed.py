"""The processes of a cluster that is this machine's own, for tests that stop one and start it again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until

_START = 'log=$1 pid=$2; shift 2; setsid nohup "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"'


@contextmanager
def without(name: str) -> Iterator[None]:
    """A process of the cluster, such as ``kubelet``, is stopped in the block, and runs again after it, as it did before.

    The test is skipped where its number is in no file beside ``KUBECONFIG``.
    """
    state = Path(os.environ.get("KUBECONFIG", "")).parent
    file = state / f"{name}.pid"
    if not file.exists():
        pytest.skip(f"this cluster has no {name} that a test may stop")
    found = psutil.Process(int(file.read_text()))
    command, environment, cwd = found.cmdline(), found.environ(), found.cwd()
    found.send_signal(signal.SIGTERM)
    try:
        with suppress(psutil.TimeoutExpired):
            found.wait(15)
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            found.kill()
            found.wait(5)
        start = ["sh", "-c", _START, "sh", str(state / f"log/{name}.log"), str(file), *command]
        subprocess.run(start, env=environment, cwd=cwd, check=True)
        wait_until(_is_ready, 60)


def _is_ready() -> bool:
    """Whether the API answers, and says that the node is there."""
    from nb_dagster.kernel.pods.cluster import cluster

    with suppress(Exception):  # of urllib3, of the system's sockets, of the API
        (node,) = cluster().core.list_node(_request_timeout=3).items
        return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)
    return False
