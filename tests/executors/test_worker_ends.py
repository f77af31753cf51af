"""Every way the process of a run ends, under each executor, while its notebooks run."""

import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.definitions.worker import close_lost_runs
from nb_dagster.store.notebooks import NotebookStore
from tests.executors import jobs
from tests.executors.deployment import execute, make_home
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

FIRST = """\
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
print("pids", os.getpid(), *(child.pid for child in children), flush=True)
nb.metric("seen", 1)
"""
SIDES = {"endless_in_process": 1, "endless_threads": 2, "endless_processes": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_notebook(tmp_path / "endless.ipynb", FIRST, "print('before', flush=True)\ntime.sleep(600)", "print('never')")
    make_home(tmp_path)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


class Running:
    """A run of endless notebooks."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, job: str) -> None:
        self.instance, self.job, self.store = instance, job, folder / ".nb_dagster/notebooks"
        self.process = execute(folder, jobs.__name__, job)
        self.family: list[psutil.Process] = []
        self.steps: list[psutil.Process] = []
        self._log = folder / f"{job}.log"

    def wait(self) -> None:
        """Until its notebooks are all in their second cell."""
        sides = SIDES[self.job]
        wait_until(lambda: sum('"before' in each for each in self._journals()) == sides, 120, self._log.read_text)
        self.family = [psutil.Process(pid) for journal in self._journals() for pid in _pids(journal)]
        self.steps = [each for each in psutil.Process(self.process.pid).children(recursive=True) if _is_step(each)]

    def _journals(self) -> list[str]:
        return [path.read_text() for path in self.store.glob(".running/*.jsonl")]

    @property
    def run(self) -> dg.DagsterRun:
        """As the history has it now."""
        (run,) = self.instance.get_runs(dg.RunsFilter(job_name=self.job))
        return run

    def notebooks(self) -> list[Path]:
        """The executed notebooks."""
        return sorted(self.store.glob(f"*_{self.job}/*/endless.ipynb"))


@pytest.fixture(params=SIDES)
def running(request: pytest.FixtureRequest, folder: Path, instance: dg.DagsterInstance) -> Iterator[Running]:
    running = Running(folder, instance, request.param)
    try:
        running.wait()
        yield running
    finally:
        for each in [*running.family, *running.steps]:
            if each.is_running():
                each.kill()
        running.process.kill()
        running.process.wait()


def _pids(journal: str) -> list[int]:
    return [int(pid) for pid in journal.split("pids ")[1].split("\\n", maxsplit=1)[0].split()]


def _is_step(process: psutil.Process) -> bool:
    return "spawn_main" in " ".join(process.cmdline())


def _assert_nothing_survives(running: Running) -> None:
    _, alive = psutil.wait_procs([*running.family, *running.steps], timeout=15)
    assert [process.cmdline() for process in alive] == []


def _assert_notebooks_are_true(running: Running, status: str) -> None:
    notebooks = running.notebooks()
    assert len(notebooks) == SIDES[running.job]
    for notebook in notebooks:
        assert run_metadata(notebook)["status"] == status
        assert cell_statuses(notebook) == ["succeeded", status, "not_run"]
        assert "before\n" in printed(notebook)
        assert "never" not in printed(notebook)
    assert sorted(map(str, notebooks)) == sorted(stored_notebooks(running.instance, running.run.run_id))


def test_a_cancel_stops_all_kernels_and_keeps_their_notebooks(running: Running) -> None:
    running.instance.report_run_canceling(running.run)
    running.process.send_signal(signal.SIGINT)
    _assert_nothing_survives(running)
    running.process.wait(60)
    assert running.run.status == dg.DagsterRunStatus.CANCELED
    _assert_notebooks_are_true(running, "cancelled")


def test_a_polite_end_of_the_process_is_a_cancel_of_its_notebooks(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    _assert_nothing_survives(running)
    running.process.wait(60)
    assert running.run.status in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE)
    _assert_notebooks_are_true(running, "cancelled")


def test_a_killed_process_takes_all_with_it_and_the_next_start_tells_of_it(running: Running) -> None:
    running.process.kill()
    running.process.wait()
    _assert_nothing_survives(running)
    close_lost_runs(running.instance, NotebookStore(running.store).recover())
    assert running.run.status == dg.DagsterRunStatus.FAILURE
    outlived = running.job == "endless_processes"  # its steps have processes of their own, which can still say so
    _assert_notebooks_are_true(running, "cancelled" if outlived else "killed")
    reasons = [run_metadata(notebook)["reason"] for notebook in running.notebooks()]
    assert all(("(pid " in reason and "is gone" in reason) == outlived for reason in reasons), reasons
