"""A runner that is killed takes everything with it that its kernels have started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nb_dagster.kernel.watchdog import marked
from tests.notebooks import write_notebook

_CELL = """\
import subprocess, sys, pathlib, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep, start_new_session=True), subprocess.Popen(sleep)]
pathlib.Path("pids").write_text(" ".join(str(child.pid) for child in children))
time.sleep(600)
"""


@pytest.fixture
def runner(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a notebook which has started processes of its own."""
    path = write_notebook(tmp_path / "a.ipynb", _CELL)
    switch, expect = ("off", "") if request.param == "spawned" else ("", "FORK_SERVERS.expect(sys.executable, ())\n")
    script = (
        "import sys\nfrom nb_dagster import run_notebook\nfrom nb_dagster.kernel.fork_servers import FORK_SERVERS\n"
        f"{expect}run_notebook({str(path)!r}, output={str(tmp_path / 'out.ipynb')!r})"
    )
    environment = {**os.environ, "NB_DAGSTER_FORK_SERVER": switch}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("runner", [pytest.param("spawned", marks=pytest.mark.slow), "forked"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_survives_a_killed_runner(
    runner: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    started = [psutil.Process(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    family = psutil.Process(runner.pid).children(recursive=True)
    folders = {process.environ().get("NB_DAGSTER_KERNEL", "") for process in started}

    runner.send_signal(number)
    runner.wait()

    _, alive = psutil.wait_procs([*family, *started], timeout=5)
    assert [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
    deadline = time.monotonic() + 5
    while any(os.path.exists(folder) for folder in folders) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [folder for folder in folders if os.path.exists(folder)] == []


def test_only_processes_with_the_very_mark_are_found(tmp_path: Path) -> None:
    mine, other = str(tmp_path / "mine"), str(tmp_path / "mine2")
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    first = subprocess.Popen(sleep, env={"NB_DAGSTER_KERNEL": mine})
    second = subprocess.Popen(sleep, env={"NB_DAGSTER_KERNEL": other})
    try:
        deadline = time.monotonic() + 5
        while not marked({mine}) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert marked({mine}) == [first.pid]
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
