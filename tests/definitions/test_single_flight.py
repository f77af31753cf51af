"""``single_flight``: one run of a workflow at a time, and never none because of a run that is over."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.worker import WORKER_TAG, Worker
from nb_dagster.errors import RunRefused
from tests.notebooks import write_notebook

SLOT = "single_flight/a"


@dg.job
def other() -> None:
    pass


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        yield instance


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "a.ipynb", "nb.output('x', 1)")


def _execute(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path, **options: Any) -> dg.ExecuteInProcessResult:
    job = nbd.notebook_job("job", [nbd.notebook_op(notebook, **options)])
    return job.execute_in_process(
        instance=instance, raise_on_error=False, resources=nbd.resources(str(tmp_path / "store"))
    )


def _holder(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    """A run that goes on, and has the slot."""
    run = instance.create_run_for_job(other, status=dg.DagsterRunStatus.STARTED, tags=tags)
    instance.event_log_storage.set_concurrency_slots(SLOT, 1)
    assert instance.event_log_storage.claim_concurrency_slot(SLOT, run.run_id, "step").is_claimed
    return run


@contextlib.contextmanager
def _ended_when_waited_for(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[None]:
    """End a run when another one waits for it."""

    def end() -> None:
        while not instance.event_log_storage.get_concurrency_info(SLOT).pending_run_ids:
            time.sleep(0.05)
        instance.report_run_failed(run)

    thread = threading.Thread(target=end)
    thread.start()
    yield
    thread.join()


def _is_free(instance: dg.DagsterInstance) -> bool:
    info = instance.event_log_storage.get_concurrency_info(SLOT)
    return not info.claimed_slots and not info.pending_steps


def test_a_second_run_is_refused_in_words(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path) -> None:
    holder = _holder(instance)
    result = _execute(instance, tmp_path, notebook, single_flight="refuse")
    failure = result.failure_data_for_node("a")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == (
        f"a is running already, in run {holder.run_id}, and single_flight refuses a second run; "
        f"wait for that one, or cancel it (nb-dagster cancel {holder.run_id[:8]})"
    )
    assert instance.event_log_storage.get_concurrency_info(SLOT).active_run_ids == {holder.run_id}


def test_a_second_run_waits_for_the_first(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path) -> None:
    holder = _holder(instance)
    with _ended_when_waited_for(instance, holder):
        result = _execute(instance, tmp_path, notebook, single_flight="queue")
    assert result.success
    (waits,) = [e.message for e in instance.all_logs(result.run_id) if "waiting for run" in e.message]
    assert holder.run_id in waits
    assert _is_free(instance)


def test_a_run_that_is_over_holds_nothing(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path) -> None:
    instance.report_run_failed(_holder(instance))
    assert _execute(instance, tmp_path, notebook, single_flight="refuse").success


def test_nor_does_one_that_was_deleted(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path) -> None:
    instance.run_storage.delete_run(_holder(instance).run_id)
    assert _execute(instance, tmp_path, notebook, single_flight="refuse").success


def test_nor_does_one_whose_process_was_killed(instance: dg.DagsterInstance, tmp_path: Path, notebook: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = _holder(instance, {WORKER_TAG: str(Worker.of(process.pid))})
    assert not _execute(instance, tmp_path, notebook, single_flight="refuse").success
    process.kill()
    process.communicate()
    assert _execute(instance, tmp_path, notebook, single_flight="refuse").success
    ended = instance.get_run_by_id(holder.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("cell", ["1", "1 / 0", "nb.skip('no')"])
def test_the_slot_is_free_when_the_notebook_has_ended(instance: dg.DagsterInstance, tmp_path: Path, cell: str) -> None:
    _execute(instance, tmp_path, write_notebook(tmp_path / "a.ipynb", cell), single_flight="refuse")
    assert _is_free(instance)


def test_it_is_kept_for_the_next_attempt(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: list[str] = []
    storage = instance.event_log_storage
    free = storage.free_concurrency_slot_for_step

    def note(run_id: str, step_key: str) -> None:
        freed.append(step_key)
        free(run_id, step_key)

    monkeypatch.setattr(storage, "free_concurrency_slot_for_step", note)
    notebook = write_notebook(tmp_path / "a.ipynb", "assert attempt == 2", parameters="attempt = 1")
    policy = dg.RetryPolicy(max_retries=1)
    assert _execute(instance, tmp_path, notebook, single_flight="refuse", retry_policy=policy).success
    assert freed == ["a (single flight)"]
    assert _is_free(instance)


def test_a_failure_that_is_not_retried_frees_it(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", "1 / 0")
    options: dict[str, Any] = {"retry_policy": dg.RetryPolicy(max_retries=1), "retry_on": ["killed"]}
    assert not _execute(instance, tmp_path, notebook, single_flight="refuse", **options).success
    assert _is_free(instance)


def test_another_word_is_refused(notebook: Path) -> None:
    with pytest.raises(RunRefused, match="single_flight is refuse or queue, not 'wait'"):
        nbd.notebook_asset(notebook, single_flight="wait")  # type: ignore[arg-type]
