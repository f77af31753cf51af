"""A thousand runs one after the other leave their process, and the fork server, as they were."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nb_dagster.direct import run_notebook
from nb_dagster.kernel.fork_client import ForkServer
from nb_dagster.runner.background import settle
from tests.kernel.forking import PRELOAD, fork_servers_of_its_own, ready
from tests.notebooks import write_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WARM_UP = 50
RUNS = 1000
MAY_GROW = 20e6


@pytest.fixture
def temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temp files."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def server(temp: Path) -> Iterator[ForkServer]:
    with fork_servers_of_its_own() as servers:
        yield ready(servers, *PRELOAD)


def test_a_thousand_runs_leave_nothing_behind(server: ForkServer, temp: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import os\nprint('x' * 1000)\nnb.output('parent', os.getppid())")
    output = tmp_path / "out.ipynb"

    def run(times: int) -> None:
        for _ in range(times):
            assert run_notebook(path, output=output, preload=PRELOAD).outputs["parent"] == server.pid
            output.unlink()
        settle()

    def held() -> list[int]:
        mine, theirs = psutil.Process(), psutil.Process(server.pid)
        counts = [count for each in (mine, theirs) for count in (each.num_fds(), each.num_threads())]
        return [*counts, len(mine.children(recursive=True)), len(theirs.children()), len(os.listdir(temp))]

    def memory() -> list[int]:
        return [psutil.Process(pid).memory_info().rss for pid in (os.getpid(), server.pid)]

    run(WARM_UP)
    held_before, memory_before = held(), memory()
    run(RUNS)
    held_after, memory_after = held(), memory()
    assert all(now <= then for now, then in zip(held_after, held_before, strict=True)), (held_before, held_after)
    grown = [now - then for now, then in zip(memory_after, memory_before, strict=True)]
    assert max(grown) < MAY_GROW, grown
