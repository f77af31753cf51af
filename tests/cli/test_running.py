"""``nb-dagster cancel`` and ``nb-dagster logs``, and what becomes of runs whose process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.definitions.worker import Worker
from tests.cli.command import as_json, await_line, nb_dagster, start
from tests.executors.deployment import make_home
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("running")
    write_notebook(
        folder / "endless.ipynb", "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)", "1"
    )
    write_notebook(folder / "quick.ipynb", "import sys\nprint('größe')", "print('to stderr', file=sys.stderr)")
    make_home(folder)
    return folder


@pytest.fixture(scope="module")
def history(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


class Endless:
    """A run of ``nb-dagster run`` that is in its first cell."""

    def __init__(self, folder: Path, history: dg.DagsterInstance) -> None:
        self.process = start("run", "endless.ipynb", "--json", cwd=folder, home=folder / "home")
        self.kernel = psutil.Process(int(await_line(self.process, "pid ").split()[1]))
        self.run_id = history.get_run_ids(limit=1)[0]

    def end(self) -> dict[str, str]:
        """Wait for its end; gives what it printed."""
        stdout, _ = self.process.communicate(timeout=30)
        found: dict[str, str] = json.loads(stdout)
        return found


@pytest.fixture
def endless(folder: Path, history: dg.DagsterInstance) -> Iterator[Endless]:
    endless = Endless(folder, history)
    with endless.process:
        yield endless
        endless.process.kill()


@pytest.fixture(scope="module")
def quick(folder: Path) -> str:
    """The id of a run that has succeeded."""
    return str(as_json(nb_dagster("run", "quick.ipynb", "--json", cwd=folder, home=folder / "home"))["run_id"])


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nb_dagster(*arguments, cwd=folder, home=folder / "home")


def _status(history: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = history.get_run_by_id(run_id)
    assert run is not None
    return run.status


class TestCancel:
    def test_a_run_of_another_process_is_stopped_and_its_notebook_kept(
        self, folder: Path, history: dg.DagsterInstance, endless: Endless
    ) -> None:
        done = _command(folder, "cancel", endless.run_id[:8], "--json")
        assert (done.returncode, as_json(done)) == (0, {"run_id": endless.run_id, "status": "cancelled"})
        result = endless.end()
        assert endless.process.returncode == 130
        assert cell_statuses(result["executed_notebook"]) == ["cancelled", "not_run"]
        assert _status(history, endless.run_id) == dg.DagsterRunStatus.CANCELED
        assert not endless.kernel.is_running()

    def test_so_is_one_that_is_cancelled_in_the_ui(self, history: dg.DagsterInstance, endless: Endless) -> None:
        history.run_launcher.terminate(endless.run_id)
        assert endless.end()["status"] == "cancelled"
        assert endless.process.returncode == 130
        assert _status(history, endless.run_id) == dg.DagsterRunStatus.CANCELED

    def test_one_that_has_ended_is_refused(self, folder: Path, quick: str) -> None:
        done = _command(folder, "cancel", quick)
        assert done.returncode == 2
        assert done.stderr == f"nb-dagster: run {quick} has ended already: succeeded\n"

    def test_one_that_there_is_not_is_refused(self, folder: Path) -> None:
        done = _command(folder, "cancel", "nonsense")
        assert done.returncode == 2
        assert "has no run 'nonsense'" in done.stderr

    def test_one_on_another_machine_is_refused(self, folder: Path, history: dg.DagsterInstance) -> None:
        elsewhere = str(Worker("elsewhere 1234", 1, 1.0))
        run = history.create_run_for_job(_nothing, tags={"nb_dagster/worker": elsewhere})
        history.report_run_failed(run)  # of the past
        run = history.create_run_for_job(_nothing, tags={"nb_dagster/worker": elsewhere})
        done = _command(folder, "cancel", run.run_id)
        history.delete_run(run.run_id)
        assert done.returncode == 2
        assert "lives on elsewhere; cancel it there" in done.stderr


@dg.job
def _nothing() -> None:
    pass


class TestKilled:
    """A run whose process is killed, as the system does it to one that takes too much memory."""

    def test_the_next_run_ends_it_in_the_history_and_names_its_notebook(
        self, folder: Path, history: dg.DagsterInstance, endless: Endless
    ) -> None:
        os.kill(endless.process.pid, signal.SIGKILL)
        endless.process.wait()
        assert _status(history, endless.run_id) == dg.DagsterRunStatus.STARTED
        assert _command(folder, "run", "quick.ipynb").returncode == 0
        assert _status(history, endless.run_id) == dg.DagsterRunStatus.FAILURE
        (notebook,) = stored_notebooks(history, endless.run_id)
        assert run_metadata(notebook)["status"] == "killed"
        assert "pid " in printed(notebook)

    def test_a_cancel_says_that_it_is_gone(self, folder: Path, endless: Endless) -> None:
        os.kill(endless.process.pid, signal.SIGKILL)
        endless.process.wait()
        done = _command(folder, "cancel", endless.run_id)
        assert (done.returncode, done.stdout) == (0, f"run {endless.run_id}: failed\n")


class TestLogs:
    def test_they_have_what_the_notebook_printed_and_what_dagster_says(self, folder: Path, quick: str) -> None:
        done = _command(folder, "logs", quick)
        assert done.returncode == 0
        assert done.stdout == "größe\nto stderr\n"
        assert " quick: notebook quick, attempt 1: succeeded (2 of 2 cells in " in done.stderr

    def test_json_has_a_line_for_each_piece(self, folder: Path, quick: str) -> None:
        lines = [json.loads(line) for line in _command(folder, "logs", quick, "--json").stdout.splitlines()]
        assert [line["text"] for line in lines if line["kind"] == "stdout"] == ["größe\n"]
        assert [line["step"] for line in lines if line["kind"] == "stderr"] == ["quick"]
        assert lines[-1]["kind"] == "event"

    def test_they_are_followed_until_the_run_has_ended(self, folder: Path, endless: Endless) -> None:
        following = start("logs", endless.run_id, "--follow", cwd=folder, home=folder / "home")
        assert following.stdout is not None
        assert following.stdout.readline() == f"pid {endless.kernel.pid}\n"
        assert following.poll() is None
        endless.process.send_signal(signal.SIGINT)
        _, events = following.communicate(timeout=30)
        assert following.returncode == 0
        assert "notebook endless, attempt 1: cancelled" in events

    def test_a_run_that_there_is_not_is_refused(self, folder: Path) -> None:
        done = _command(folder, "logs", "nonsense")
        assert done.returncode == 2
        assert "has no run 'nonsense'" in done.stderr
