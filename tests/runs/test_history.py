"""The history, on the storages that Dagster has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from tests.executors.deployment import make_home
from tests.runs.past import Past, whole_past
from tests.runs.postgres import needed_programs, postgres


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def past_and_history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Past, nbd.History]]:
    folder = tmp_path_factory.mktemp("past")
    make_home(folder)
    with contextlib.ExitStack() as stack:
        if request.param == "postgres":
            binaries = needed_programs()
            url = stack.enter_context(postgres(binaries))
            with open(folder / "home/dagster.yaml", "a", encoding="utf-8") as settings:
                settings.write(f"storage:\n  postgres:\n    postgres_url: {url}\n")
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder / "home")))
        yield whole_past(folder, instance), nbd.History(instance)


@pytest.fixture(scope="module")
def past(past_and_history: tuple[Past, nbd.History]) -> Past:
    return past_and_history[0]


@pytest.fixture(scope="module")
def history(past_and_history: tuple[Past, nbd.History]) -> nbd.History:
    return past_and_history[1]


def _names(past: Past, runs: list[nbd.PastRun]) -> list[str]:
    names = {run_id: name for name, run_id in past.ids.items()}
    return [names[run.run_id] for run in runs]


class TestRunsOf:
    def test_an_asset_are_those_that_were_to_materialize_it(self, past: Past, history: nbd.History) -> None:
        assert _names(past, history.runs("train")) == ["bad", "skipped", "good"]

    def test_an_asset_with_a_prefix_are_found_as_the_command_line_calls_it(
        self, past: Past, history: nbd.History
    ) -> None:
        assert _names(past, history.runs("team__other")) == ["prefixed"]

    def test_a_notebook_with_several_assets_are_found_by_its_own_name_and_by_theirs(
        self, past: Past, history: nbd.History
    ) -> None:
        assert _names(past, history.runs("sets")) == ["good, but outputs are missing"]
        assert _names(past, history.runs("twice")) == ["good, but outputs are missing"]

    def test_a_job_are_all_of_its_runs(self, past: Past, history: nbd.History) -> None:
        assert _names(past, history.runs("nightly")) == ["one of two failed"]
        assert _names(past, history.runs("slow")) == ["queued", "timed out"]

    def test_a_notebook_in_a_job_have_only_its_own_part(self, history: nbd.History) -> None:
        (first,), (second,) = history.runs("first"), history.runs("second")
        assert (first.status, first.parameters, [each.step for each in first.attempts]) == (
            "succeeded",
            {"n": 3},
            ["first"],
        )
        assert (second.status, second.parameters) == ("failed", {"n": -1})

    def test_a_notebook_in_a_job_made_by_hand(self, past: Past, history: nbd.History) -> None:
        assert _names(past, history.runs("own")) == ["by hand"]

    def test_nothing_are_none(self, history: nbd.History) -> None:
        assert history.runs("nonsense") == []
        assert history.latest("nonsense") is None

    def test_all_are_newest_first_and_as_many_as_asked_for(self, past: Past, history: nbd.History) -> None:
        assert _names(past, history.runs()) == list(reversed(past.ids))
        assert _names(past, history.runs(last=2)) == ["queued", "by hand"]


class TestStatus:
    def test_it_is_in_our_words(self, past: Past, history: nbd.History) -> None:
        statuses = {run.run_id: run.status for run in history.runs()}
        assert {name: statuses[run_id] for name, run_id in past.ids.items()} == {
            "good": "succeeded",
            "skipped": "skipped",
            "bad": "failed",
            "good, but outputs are missing": "failed",
            "prefixed": "succeeded",
            "timed out": "timed_out",
            "one of two failed": "failed",
            "tried twice": "failed",
            "by hand": "succeeded",
            "queued": "queued",
        }

    def test_a_reason_says_why(self, past: Past, history: nbd.History) -> None:
        reasons = {name: history.run(run_id).reason for name, run_id in past.ids.items()}
        assert reasons["good"] is None
        assert reasons["skipped"] == "no rows"
        assert "AssertionError: too few" in str(reasons["bad"])
        assert "the cell timeout of 0.5 s was over" in str(reasons["timed out"])
        assert 'never called nb.output("twice", ...)' in str(reasons["good, but outputs are missing"])

    @pytest.mark.parametrize(
        ("statuses", "names"),
        [
            (["succeeded"], ["by hand", "prefixed", "good"]),
            (["skipped"], ["skipped"]),
            (["timed_out", "queued"], ["queued", "timed out"]),
            (["killed"], []),
        ],
    )
    def test_runs_are_chosen_by_it(
        self, past: Past, history: nbd.History, statuses: list[str], names: list[str]
    ) -> None:
        assert _names(past, history.runs(statuses=statuses)) == names  # type: ignore[arg-type]

    def test_those_of_a_workflow_too(self, past: Past, history: nbd.History) -> None:
        assert _names(past, history.runs("train", statuses=["failed"])) == ["bad"]
        assert _names(past, history.runs("first", statuses=["succeeded"])) == ["one of two failed"]
        assert history.runs("first", statuses=["failed"]) == []

    def test_one_that_there_is_not_is_refused(self, history: nbd.History) -> None:
        with pytest.raises(ValueError, match="a status is one of succeeded, "):
            history.runs(statuses=["broken"])  # type: ignore[list-item]


class TestLatest:
    def test_it_is_the_last_run(self, past: Past, history: nbd.History) -> None:
        latest = history.latest("train")
        assert latest is not None
        assert latest.run_id == past.ids["bad"]

    def test_it_may_have_to_have_succeeded(self, past: Past, history: nbd.History) -> None:
        latest = history.latest("train", succeeded=True)
        assert latest is not None
        assert latest.run_id == past.ids["good"]

    def test_it_is_told_as_of_a_moment(self, past: Past, history: nbd.History) -> None:
        bad = history.run(past.ids["bad"])
        latest = history.latest("train", until=bad.started - timedelta(seconds=2))
        assert latest is None or latest.run_id != bad.run_id
        assert history.latest("train", until=datetime(2020, 1, 1, tzinfo=timezone.utc)) is None

    def test_runs_since_a_moment_are_those_made_then_or_later(self, past: Past, history: nbd.History) -> None:
        assert history.runs("train", since=datetime.now(timezone.utc) + timedelta(minutes=1)) == []
        since = datetime.now(timezone.utc) - timedelta(minutes=30)
        assert _names(past, history.runs("train", since=since)) == ["bad", "skipped", "good"]

    def test_a_moment_without_a_time_zone_is_refused(self, history: nbd.History) -> None:
        with pytest.raises(ValueError, match="has no time zone"):
            history.latest("train", until=datetime(2026, 1, 31))  # noqa: DTZ001 - that is the point


class TestRun:
    def test_it_has_each_attempt_with_its_notebook(self, past: Past, history: nbd.History) -> None:
        run = history.run(past.ids["tried twice"])
        assert [(each.number, each.status) for each in run.attempts] == [(1, "failed"), (2, "failed")]
        first, second = (Path(each.executed_notebook) for each in run.attempts)
        assert first.is_file()
        assert second.is_file()
        assert first != second

    def test_it_has_duration_and_parameters(self, past: Past, history: nbd.History) -> None:
        run = history.run(past.ids["good"])
        assert run.parameters == {"n": 500}
        assert run.ended is not None
        assert run.duration_s == pytest.approx((run.ended - run.started).total_seconds(), abs=0.01)

    def test_one_with_several_notebooks_has_the_parameters_of_each(self, past: Past, history: nbd.History) -> None:
        assert history.run(past.ids["one of two failed"]).parameters == {"first": {"n": 3}, "second": {"n": -1}}

    def test_it_is_found_by_how_its_id_begins_and_by_its_workflow(self, past: Past, history: nbd.History) -> None:
        assert history.run(past.ids["good"][:8]).run_id == past.ids["good"]
        assert history.run("train").run_id == past.ids["bad"]

    def test_one_that_there_is_not_is_refused(self, history: nbd.History) -> None:
        with pytest.raises(RunRefused, match="has no run 'nonsense'"):
            history.run("nonsense")


def test_the_commit_of_the_source_is_in_the_history(tmp_path: Path) -> None:
    make_home(tmp_path)
    _commit(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        past = Past(tmp_path, instance)
        past.execute("run", past.by_hand)
        (attempt,) = nbd.History(instance).run("own").attempts
    assert attempt.commit is not None
    assert len(attempt.commit) == 40
    assert attempt.dirty is True


def _commit(folder: Path) -> None:
    import subprocess

    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
