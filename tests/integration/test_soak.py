"""Many runs, one after the other and many at once, with faults: each ends truly, and nothing of them is left."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from nb_dagster.kernel.fork_client import ForkServer
from nb_dagster.runner.background import settle
from tests.kernel.forking import PRELOAD, fork_servers_of_its_own, ready
from tests.soak import Soak
from tests.waiting import holds_within

WARM_UP = 30
MAY_GROW = 20e6
SEED = 20261121
POOL = "asyncio_"  # threads of the event loop's pool, which grows to a bound


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


@pytest.mark.parametrize(
    ("runs", "at_once"),
    [
        pytest.param(40, 10, id="short"),
        pytest.param(2000, 50, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
def test_runs_with_faults_end_truly_and_leave_nothing_behind(
    server: ForkServer, temp: Path, tmp_path: Path, runs: int, at_once: int
) -> None:
    soak = Soak(tmp_path, SEED, PRELOAD)

    def run(numbers: range, workers: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(soak.run, numbers))
        settle()

    def held() -> dict[str, int]:
        mine, theirs = psutil.Process(), psutil.Process(server.pid)
        return {
            "descriptors": mine.num_fds(),
            "threads": mine.num_threads() - sum(each.name.startswith(POOL) for each in threading.enumerate()),
            "children": len(mine.children(recursive=True)),
            "descriptors of the server": theirs.num_fds(),
            "children of the server": len(theirs.children()),
            "temp files": len(os.listdir(temp)),
            "files": len(os.listdir(tmp_path)),
        }

    def memory() -> list[int]:
        return [psutil.Process(pid).memory_info().rss for pid in (os.getpid(), server.pid)]

    run(range(max(WARM_UP, runs // 8)), workers=4)
    run(range(2 * at_once), workers=at_once)
    held_before, memory_before = held(), memory()
    run(range(runs), workers=4)
    run(range(at_once), workers=at_once)
    memory_after = memory()

    def grown_things() -> dict[str, int]:
        return {name: now for name, now in held().items() if now > held_before[name]}

    # A thread that was joined is still the system's for a moment.
    holds_within(10, lambda: not grown_things())
    assert grown_things() == {}, held_before
    grown = [now - then for now, then in zip(memory_after, memory_before, strict=True)]
    assert max(grown) < MAY_GROW, grown
