"""Each attempt is told its number, and leaves an executed notebook and an event that links it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.retries import FailureClass
from nb_dagster.errors import RunRefused
from tests.definitions.dagster_runs import DagsterRun, execute, materialize
from tests.notebooks import printed, run_metadata, write_notebook

FLAKY = "print('attempt', attempt, nb.context.attempt)\nassert attempt > 1, 'not yet'\nnb.output('n', attempt)"


class TestTwoAttempts:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("retries")
        asset = nbd.notebook_asset(
            write_notebook(folder / "flaky.ipynb", FLAKY, parameters="attempt = 0"),
            outs=["n"],
            retry_policy=dg.RetryPolicy(max_retries=3),
        )
        return materialize(folder / "store", asset)

    def test_it_succeeds_with_the_value_of_the_last(self, run: DagsterRun) -> None:
        assert run.result.success
        assert run.result.retry_attempts_for_node("flaky__notebook") == 1
        assert run.result.asset_value("flaky") == 2

    def test_each_is_kept_as_an_executed_notebook(self, run: DagsterRun) -> None:
        said = [run_metadata(path) for path in run.executed("flaky")]
        assert [(each["attempt"], each["status"]) for each in said] == [(1, "failed"), (2, "succeeded")]
        assert {each["run_id"] for each in said} == {run.result.run_id}

    def test_the_notebook_sees_the_number(self, run: DagsterRun) -> None:
        assert [printed(path) for path in run.executed("flaky")] == ["attempt 1 1\n", "attempt 2 2\n"]

    def test_each_has_an_event_that_says_how_it_ended(self, run: DagsterRun) -> None:
        ends = [message for message in run.log("flaky__notebook") if ", attempt " in message]
        assert ends[0].startswith("notebook flaky, attempt 1: failed: cell 3 (")
        assert "AssertionError: not yet" in ends[0]
        assert ends[1].startswith("notebook flaky, attempt 2: succeeded (")
        assert len(ends) == 2

    def test_each_event_links_its_own_notebook(self, run: DagsterRun) -> None:
        linked = [str(metadata["executed_notebook"].value) for metadata in run.attempt_metadata("flaky__notebook")]
        assert linked == [str(path) for path in run.executed("flaky")]
        assert [metadata["attempt"].value for metadata in run.attempt_metadata("flaky__notebook")] == [1, 2]

    def test_only_the_failed_one_shows_a_traceback(self, run: DagsterRun) -> None:
        first, second = run.attempt_metadata("flaky__notebook")
        assert "AssertionError: not yet" in str(first["traceback"].value)
        assert "traceback" not in second


def test_the_failure_after_the_last_attempt_shows_the_last_notebook(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(
        write_notebook(tmp_path / "hopeless.ipynb", "1 / 0"), retry_policy=dg.RetryPolicy(max_retries=1)
    )
    run = materialize(tmp_path / "store", asset)
    first, last = run.executed("hopeless")
    assert run.failure("hopeless__notebook").metadata["executed_notebook"].value == str(last) != str(first)


def test_an_op_without_a_policy_takes_that_of_its_job(tmp_path: Path) -> None:
    op = nbd.notebook_op(write_notebook(tmp_path / "flaky.ipynb", FLAKY, parameters="attempt = 0"))
    job = nbd.notebook_job("nightly", [op], op_retry_policy=dg.RetryPolicy(max_retries=1))
    run = execute(tmp_path / "store", job)
    assert run.result.output_for_node("flaky") == {"n": 2}


@pytest.mark.parametrize(
    ("cell", "limit", "retry_on", "attempts"),
    [
        ("1 / 0", None, ["killed", "timeout"], 1),
        ("1 / 0", None, ["exception"], 2),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, ["killed"], 2),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, ["exception"], 1),
        ("import time; time.sleep(60)", 0.5, ["timeout"], 2),
        ("import time; time.sleep(60)", 0.5, [], 1),
    ],
)
def test_only_the_failures_that_are_named_are_retried(
    tmp_path: Path, cell: str, limit: float | None, retry_on: list[FailureClass], attempts: int
) -> None:
    asset = nbd.notebook_asset(
        write_notebook(tmp_path / "a.ipynb", cell),
        retry_policy=dg.RetryPolicy(max_retries=1),
        retry_on=retry_on,
        cell_timeout=limit,
    )
    run = materialize(tmp_path / "store", asset)
    assert not run.result.success
    assert len(run.executed("a")) == attempts


@pytest.mark.parametrize("retry_on", ["exception", ["oom"]])
def test_a_failure_that_is_none_is_refused(tmp_path: Path, retry_on: list[FailureClass]) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(RunRefused, match="retry_on is a list of exception, timeout, killed, infrastructure; "):
        nbd.notebook_asset(path, retry_on=retry_on)
