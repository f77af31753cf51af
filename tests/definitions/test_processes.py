"""Under Dagster's multiprocess executor: each step in a process of its own, cancelled, killed and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest

from nb_dagster.store.notebooks import NotebookStore
from tests.definitions import jobs
from tests.notebooks import cell_statuses, executed_notebooks, printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
EXECUTE = """
import sys
import dagster as dg
from tests.definitions import jobs
if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.execute_job(dg.reconstructable(getattr(jobs, sys.argv[1])), instance=instance)
"""
LOOK = "print(value, nb.upstream['record'].metrics, nb.upstream['record'].outputs)\nassert Path('ready').exists()"
ENDLESS = ("print('pid', os.getpid())", "print('inside', flush=True)\ntime.sleep(600)", "print('never')")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Notebooks, and a Dagster home."""
    write_notebook(tmp_path / "record.ipynb", "nb.metric('m', 0.5)\nnb.output('n', 3)")
    write_notebook(tmp_path / "look.ipynb", "from pathlib import Path", LOOK, parameters="value = None")
    write_notebook(tmp_path / "frame.ipynb", "import pandas as pd", "nb.output('frame', pd.DataFrame({'a': [1, 2]}))")
    write_notebook(
        tmp_path / "take.ipynb",
        "print('sum', frame.a.sum(), 'attempt', attempt)\nassert attempt == 2",
        parameters="frame = None\nattempt = 0",
    )
    write_notebook(tmp_path / "endless.ipynb", "import os, time", *ENDLESS)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    (tmp_path / "execute.py").write_text(EXECUTE, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NB_DAGSTER_TEST_NOTEBOOKS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(jobs, "NOTEBOOKS", tmp_path)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_values_records_and_retries_cross_processes(folder: Path, instance: dg.DagsterInstance) -> None:
    assert dg.execute_job(dg.reconstructable(jobs.assets), instance).success
    first, second = executed_notebooks(folder / "store", "take")
    assert (printed(first), printed(second)) == ("sum 3 attempt 1\n", "sum 3 attempt 2\n")


def test_a_run_from_failure_sees_what_the_run_before_it_recorded(folder: Path, instance: dg.DagsterInstance) -> None:
    job = dg.reconstructable(jobs.chain)
    first = dg.execute_job(job, instance)
    assert not first.success
    (folder / "ready").touch()
    second = dg.execute_job(
        job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance)
    )
    assert second.success
    assert len(executed_notebooks(folder / "store", "record")) == 1
    shown = [printed(path) for path in executed_notebooks(folder / "store", "look")]
    assert shown == ["{'n': 3} {'m': 0.5} {'n': 3}\n"] * 2


@dataclass(frozen=True)
class Running:
    """A run of the endless notebook, in its second cell.

    Attributes:
        process: what executes the job.
        step: the process of its step.
        kernel: the kernel.
    """

    process: subprocess.Popen[bytes]
    step: psutil.Process
    kernel: psutil.Process


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    with open(folder / "run.log", "wb") as log:
        command = [sys.executable, "execute.py", "endless"]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def said() -> str:
        assert process.poll() is None, (folder / "run.log").read_text()
        return "".join(path.read_text() for path in (folder / "store/.running").glob("*.jsonl"))

    wait_until(lambda: '"inside' in said(), 90)
    pid = int(said().split('"pid ')[1].split("\\n")[0])
    kernel = psutil.Process(pid)
    step = next(each for each in psutil.Process(process.pid).children() if kernel in each.children(recursive=True))
    family = [kernel, step, psutil.Process(process.pid)]
    yield Running(process, step, kernel)
    for each in family:
        if each.is_running():
            each.kill()
    process.wait()


def test_a_cancel_ends_the_kernel_within_five_seconds_and_keeps_the_notebook(
    running: Running, folder: Path, instance: dg.DagsterInstance
) -> None:
    (run,) = instance.get_runs()
    instance.report_run_canceling(run)
    running.process.send_signal(signal.SIGINT)
    wait_until(lambda: not running.kernel.is_running(), 5)
    running.process.wait(30)
    (run,) = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.CANCELED
    (executed,) = executed_notebooks(folder / "store", "endless")
    assert cell_statuses(executed) == ["succeeded", "succeeded", "cancelled", "not_run"]
    assert run_metadata(executed)["status"] == "cancelled"
    assert printed(executed).endswith("inside\n")
    ends = [
        entry.dagster_event.message or ""
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        if entry.dagster_event
    ]
    assert [end for end in ends if end.startswith("notebook endless, attempt 1: cancelled: cancelled, in cell 3")]


def test_a_killed_step_leaves_no_kernel_and_its_notebook_is_recovered(
    running: Running, folder: Path, instance: dg.DagsterInstance
) -> None:
    running.step.kill()
    wait_until(lambda: not running.kernel.is_running(), 5)
    running.process.send_signal(signal.SIGINT)  # Dagster retries the step; this is enough
    running.process.wait(60)
    recovered = NotebookStore(folder / "store").recover()
    executed = [path for path in executed_notebooks(folder / "store", "endless") if run_metadata(path)["attempt"] == 1]
    assert len(executed) == 1
    assert set(recovered) <= set(executed)
    assert cell_statuses(executed[0]) == ["succeeded", "succeeded", "killed", "not_run"]
    assert run_metadata(executed[0])["status"] == "killed"
    assert run_metadata(executed[0])["reason"] == "the process that ran the notebook was killed"
    assert printed(executed[0]).endswith("inside\n")
    assert list((folder / "store/.running").glob("*")) == []
