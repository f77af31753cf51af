"""The death matrix: every way to end, alone and under each executor, tells the truth and leaves nothing."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import psutil
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.metadata import stored_notebooks
from tests.executors import ends
from tests.executors.deployment import execute, make_home
from tests.executors.ends import ENDS, End, write_all
from tests.notebooks import cell_statuses, printed, run_metadata

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ends")
    write_all(folder)
    make_home(folder)
    return folder


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


@pytest.fixture(scope="module", params=["in_process", "threads", "processes"])
def run(request: pytest.FixtureRequest, folder: Path, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """One run of all of them."""
    execute(folder, ends.__name__, request.param).wait(240)
    (run,) = instance.get_runs(dg.RunsFilter(job_name=request.param))
    return run


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, nbd.NotebookResult]:
    """The results of all of them without Dagster."""

    def one(end: End) -> nbd.NotebookResult:
        output = folder / "alone" / end.name / f"{end.name}.ipynb"
        return nbd.run_notebook(folder / f"{end.name}.ipynb", output=output, **end.limits)  # type: ignore[arg-type]

    with ThreadPoolExecutor(3) as pool:
        return dict(zip((end.name for end in ENDS), pool.map(one, ENDS), strict=True))


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_alone(alone: dict[str, nbd.NotebookResult], folder: Path, end: End) -> None:
    result = alone[end.name]
    assert result.status == end.status
    assert (result.reason or "").startswith(end.reason)
    assert result.metrics == {"seen": 1}
    _assert_notebook_is_true(Path(result.executed_notebook), end)
    _assert_nothing_survives(folder, end)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_as_a_step(run: dg.DagsterRun, instance: dg.DagsterInstance, folder: Path, end: End) -> None:
    assert run.status == dg.DagsterRunStatus.FAILURE, "some of its steps fail"
    (executed,) = [path for path in stored_notebooks(instance, run.run_id) if path.endswith(f"/{end.name}.ipynb")]
    _assert_notebook_is_true(Path(executed), end)
    kind = dg.DagsterEventType.STEP_SUCCESS if end.ok else dg.DagsterEventType.STEP_FAILURE
    (entry,) = [e for e in instance.all_logs(run.run_id, of_type=kind) if e.step_key == end.name]
    if not end.ok:
        assert entry.dagster_event is not None
        failure = entry.dagster_event.step_failure_data.user_failure_data
        assert failure is not None
        assert (failure.description or "").startswith(f"{end.status}: {end.reason}")
    _assert_nothing_survives(folder, end)


def _assert_notebook_is_true(executed: Path, end: End) -> None:
    said = run_metadata(executed)
    assert said["status"] == end.status
    assert (said["reason"] or "").startswith(end.reason)
    assert tuple(cell_statuses(executed)) == end.cells
    assert printed(executed).startswith("before\n")
    assert ("never" in printed(executed)) == (end.cells[2] == "succeeded")


def _assert_nothing_survives(folder: Path, end: End) -> None:
    pids = {int(pid) for pid in (folder / f"{end.name}.pids").read_text().split()}
    deadline = time.monotonic() + 5
    while (alive := [pid for pid in pids if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
