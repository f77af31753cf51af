"""``notebook_executor``: one process, many kernels, and every notebook still a Dagster step."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType

from tests.executors import jobs
from tests.executors.deployment import execute, make_home
from tests.notebooks import write_notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("threads")
    write_notebook(
        folder / "speaks.ipynb", "import os\nprint(nb.context.workflow, 'speaks')\nnb.output('pid', os.getpid())"
    )
    write_notebook(folder / "second_try.ipynb", "assert attempt == 2", parameters="attempt = 1")
    write_notebook(folder / "fails.ipynb", "1 / 0")
    write_notebook(folder / "takes.ipynb", "print(value)", parameters="value = None")
    make_home(folder)
    return folder


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


@pytest.fixture(scope="module")
def mixed(folder: Path, instance: dg.DagsterInstance) -> dg.DagsterRun:
    assert execute(folder, jobs.__name__, "mixed").wait(150) == 0
    (run,) = instance.get_runs(dg.RunsFilter(job_name="mixed"))
    return run


def events(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType) -> list[str]:
    return sorted(entry.step_key or "" for entry in instance.all_logs(run.run_id, of_type=kind))


def test_every_notebook_is_a_step_that_succeeds(instance: dg.DagsterInstance, mixed: dg.DagsterRun) -> None:
    assert mixed.status == dg.DagsterRunStatus.SUCCESS
    ended = events(instance, mixed, dg.DagsterEventType.STEP_SUCCESS)
    assert ended == ["collect", "one", "plain", "retried", "two"]


def test_a_retry_is_an_attempt_of_the_same_step(instance: dg.DagsterInstance, mixed: dg.DagsterRun) -> None:
    assert events(instance, mixed, dg.DagsterEventType.STEP_UP_FOR_RETRY) == ["retried"]


def test_each_kernel_is_a_process_of_its_own(folder: Path, mixed: dg.DagsterRun) -> None:
    values = [(folder / "home/storage" / mixed.run_id / name / "pid").read_bytes() for name in ("one", "two")]
    assert values[0] != values[1]


def test_each_step_has_its_own_compute_log(instance: dg.DagsterInstance, mixed: dg.DagsterRun) -> None:
    shown = {}
    for entry in instance.all_logs(mixed.run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED):
        assert entry.dagster_event is not None
        data = entry.dagster_event.logs_captured_data
        key = [mixed.run_id, "compute_logs", data.file_key]
        text, _ = instance.compute_log_manager.get_log_data_for_type(key, ComputeIOType.STDOUT, 0, None)
        assert instance.compute_log_manager.is_capture_complete(key)
        shown["+".join(data.step_keys or [])] = (text or b"").decode()
    assert (shown["one"], shown["two"]) == ("one speaks\n", "two speaks\n")
    assert "plain speaks" in shown["plain"]


def test_a_failure_fails_the_run_and_skips_what_follows(folder: Path, instance: dg.DagsterInstance) -> None:
    assert execute(folder, jobs.__name__, "failing").wait(150) == 0
    (run,) = instance.get_runs(dg.RunsFilter(job_name="failing"))
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert events(instance, run, dg.DagsterEventType.STEP_FAILURE) == ["fails"]
    assert events(instance, run, dg.DagsterEventType.STEP_SUCCESS) == []


def test_it_is_what_jobs_of_notebooks_run_with(folder: Path) -> None:
    import nb_dagster as nbd

    assert nbd.notebook_job("speaks", [folder / "speaks.ipynb"]).executor_def is nbd.notebook_executor
    assert jobs.plain.name == "plain"
