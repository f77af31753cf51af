"""Runs that Dagster has launched, ended from the UI, from the command line, and by the system."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.definitions.worker import close_lost_runs, worker_of
from nb_dagster.store.notebooks import NotebookStore
from tests.cli.command import nb_dagster, start
from tests.integration.dagster_dev import DagsterDev, dagster_dev
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEFINITIONS = """\
import dagster as dg
import nb_dagster as nbd

alone = nbd.notebook_op("endless.ipynb", name="endless_alone", single_flight="refuse")
defs = dg.Definitions(
    jobs=[nbd.notebook_job("endless", ["endless.ipynb"]), nbd.notebook_job("alone", [alone])],
    resources=nbd.resources(),
)
"""
WORKSPACE = """\
load_from:
  - python_file: {relative_path: definitions.py, location_name: example_project}
"""
BOUND = 5.0  # seconds in which a cancelled kernel is gone


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    (folder / "definitions.py").write_text(DEFINITIONS)
    (folder / "workspace.yaml").write_text(WORKSPACE)
    write_notebook(
        folder / "endless.ipynb", "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)", "1"
    )
    with dagster_dev(folder, home) as dev:
        yield dev


@pytest.fixture(scope="module")
def history(dev: DagsterDev) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(dev.home)) as instance:
        yield instance


class Endless:
    """A run that Dagster has launched, in its first cell."""

    def __init__(self, dev: DagsterDev, job: str = "endless") -> None:
        self.run_id = dev.launch(job)
        running = dev.store / ".running"
        wait_until(lambda: any(self.run_id in text and '"pid ' in text for text in _texts(running)), 60)
        (said,) = [text for text in _texts(running) if self.run_id in text]
        self.kernel = psutil.Process(int(said.split('"pid ')[1].split("\\n", maxsplit=1)[0]))


def _texts(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.glob("*.jsonl")]


def _assert_cancelled(dev: DagsterDev, history: dg.DagsterInstance, endless: Endless) -> None:
    wait_until(lambda: not endless.kernel.is_running(), BOUND)
    assert dev.wait(endless.run_id) == "CANCELED"
    (notebook,) = stored_notebooks(history, endless.run_id)
    assert run_metadata(notebook)["status"] == "cancelled"
    assert cell_statuses(notebook) == ["cancelled", "not_run"]
    assert printed(notebook).startswith("pid ")


def test_a_cancel_in_the_ui_ends_the_kernel_and_keeps_the_notebook(
    dev: DagsterDev, history: dg.DagsterInstance
) -> None:
    endless = Endless(dev)
    dev.terminate(endless.run_id)
    _assert_cancelled(dev, history, endless)


def test_so_does_one_on_the_command_line_and_who_follows_hears_of_it(
    dev: DagsterDev, history: dg.DagsterInstance
) -> None:
    endless = Endless(dev)
    following = start("logs", endless.run_id[:8], "--follow", cwd=dev.folder, home=dev.home)
    assert following.stdout is not None
    assert following.stdout.readline() == f"pid {endless.kernel.pid}\n"
    done = nb_dagster("cancel", endless.run_id[:8], "--json", cwd=dev.folder, home=dev.home)
    assert json.loads(done.stdout) == {"run_id": endless.run_id, "status": "cancelled"}
    _assert_cancelled(dev, history, endless)
    _, events = following.communicate(timeout=30)
    assert "notebook endless, attempt 1: cancelled" in events


def test_a_run_that_says_where_it_lives_is_still_stopped_by_dagster_that_launched_it(
    dev: DagsterDev, history: dg.DagsterInstance
) -> None:
    endless = Endless(dev, "alone")
    run = history.get_run_by_id(endless.run_id)
    assert run is not None
    assert worker_of(run) is not None  # single_flight says so
    done = nb_dagster("cancel", endless.run_id[:8], "--json", cwd=dev.folder, home=dev.home)
    assert json.loads(done.stdout) == {"run_id": endless.run_id, "status": "cancelled"}
    said = [each.message for each in history.all_logs(endless.run_id, dg.DagsterEventType.PIPELINE_CANCELING)]
    assert any("Sending run termination request" in each for each in said)
    _assert_cancelled(dev, history, endless)


def test_a_worker_that_is_killed_is_told_by_its_code_server_and_its_notebook_by_the_next_run(
    dev: DagsterDev, history: dg.DagsterInstance
) -> None:
    endless = Endless(dev)
    run_worker = next(each for each in endless.kernel.parents() if "spawn_main" in " ".join(each.cmdline()))
    run_worker.kill()
    wait_until(lambda: not endless.kernel.is_running(), BOUND)
    assert dev.wait(endless.run_id) == "FAILURE"
    close_lost_runs(history, NotebookStore(dev.store).recover())
    (notebook,) = stored_notebooks(history, endless.run_id)
    assert run_metadata(notebook)["status"] == "killed"
    assert cell_statuses(notebook) == ["killed", "not_run"]
