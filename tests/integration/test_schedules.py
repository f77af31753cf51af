"""Real daemons, killed and started again, two at once: each moment of a schedule runs as its policy says, and once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import pytest

from tests.cli.command import nb_dagster
from tests.integration.dagster_daemon import Daemons, daemons, write_project
from tests.notebooks import executed_notebooks, printed, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = """\
name: shop
defaults: {kind: op}
notifications: {targets: {team: "folder:messages"}}
workflows:
  often: {notebook: quick.ipynb, schedule: {every: 5s, repeat: 6, overlap: queue, catchup: all}}
  missed_none: {notebook: quick.ipynb, schedule: {every: 20m, catchup: none}, notify: {missed: [team]}}
  missed_last: {notebook: quick.ipynb, schedule: {every: 20m, catchup: last}}
  missed_all: {notebook: quick.ipynb, schedule: {every: 20m, catchup: all}}
  skipping: {notebook: endless.ipynb, schedule: 5s}
  cancelling: {notebook: endless.ipynb, schedule: {every: 10s, overlap: cancel, repeat: 2}}
  by_cron: {notebook: quick.ipynb, schedule: "* * * * *"}
  off: {notebook: quick.ipynb, schedule: {every: 5s, enabled: false}}
"""
HOUR = 3_600
LONG = 300.0
"""Seconds in which runs are made on a busy machine."""


@pytest.fixture(scope="module")
def fired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """What one daemon has fired until it was killed, and two others after it."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    write_project(folder, PROJECT)
    write_notebook(folder / "endless.ipynb", "import time\ntime.sleep(3600)")
    with daemons(folder, home) as found:
        found.start()
        seen = ("missed_none", "missed_last", "missed_all")
        wait_until(lambda: len(found.runs("often")) > 1 and all(map(found.state, seen)), LONG)
        found.kill()
        for workflow in seen:
            found.set_back(workflow, HOUR + 600)  # the last missed moment is ten minutes ago, the next in ten minutes
        found.start()
        found.start()
        wait_until(lambda: _is_settled(found), LONG)
        yield found


def _is_settled(found: Daemons) -> bool:
    often = found.state("often")
    return (
        often is not None
        and (often.fired, often.claimed) == (6, None)
        and [len(found.runs(each)) for each in ("missed_last", "missed_all", "cancelling")] == [1, 3, 2]
        and any("has not ended" in each for said in found.said("skipping_ticker").values() for each in said)
        and len(found.runs("by_cron")) > 1
        and all(run.is_finished for run in found.runs("missed_all"))
        and any((found.folder / "messages").glob("*"))
    )


def test_an_interval_loses_and_doubles_none_over_a_restart_and_with_two_daemons(fired: Daemons) -> None:
    state = fired.state("often")
    assert state is not None
    assert fired.fired("often") == [state.anchor + 5 * each for each in range(1, 7)]


@pytest.mark.parametrize(
    ("workflow", "numbers"), [("missed_none", []), ("missed_last", [3]), ("missed_all", [1, 2, 3])]
)
def test_of_what_was_missed_that_runs_which_catchup_says(fired: Daemons, workflow: str, numbers: list[int]) -> None:
    state = fired.state(workflow)
    assert state is not None
    assert fired.fired(workflow) == [state.anchor + 1200 * each for each in numbers]


def test_of_what_was_missed_people_are_told_once(fired: Daemons) -> None:
    (message,) = (fired.folder / "messages").glob("*.md")
    assert message.read_text().startswith("# missed_none was not run 3 times, from ")


def test_skip_leaves_the_run_from_before_alone_and_says_which_it_is(fired: Daemons) -> None:
    (run,) = fired.runs("skipping")
    reasons = [each for said in fired.said("skipping_ticker").values() for each in said]
    assert any(f"does not run: run {run.run_id} from before has not ended" in each for each in reasons)


def test_cancel_ends_the_run_from_before_and_then_starts(fired: Daemons) -> None:
    first, second = fired.runs("cancelling")
    assert first.status == dg.DagsterRunStatus.CANCELED
    assert second.status != dg.DagsterRunStatus.CANCELED
    ended, made = (fired.instance.get_run_record_by_id(each.run_id) for each in (first, second))
    assert ended is not None
    assert made is not None
    assert ended.end_time is not None
    assert ended.end_time <= made.create_timestamp.timestamp() + 1  # the history's own clock has whole seconds


def test_a_cron_fires_each_minute_once_although_two_daemons_see_it(fired: Daemons) -> None:
    moments = fired.fired("by_cron")
    assert moments == [moments[0] + 60 * each for each in range(len(moments))]


def test_one_that_is_not_enabled_does_not_fire(fired: Daemons) -> None:
    assert fired.runs("off") == []


def test_a_run_knows_the_moment_it_was_scheduled_for(fired: Daemons) -> None:
    paths = executed_notebooks(fired.folder / ".nb_dagster/notebooks", "missed_all")
    told = {datetime.fromisoformat(printed(each).strip()).timestamp() for each in paths}
    assert told == set(fired.fired("missed_all"))


def test_an_interval_is_listed_paused_and_resumed_like_a_cron(fired: Daemons) -> None:
    def schedule(*arguments: str) -> str:
        done = nb_dagster("schedule", *arguments, cwd=fired.folder, home=fired.home)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert schedule("pause", "missed_all_ticker") == "missed_all_ticker is paused\n"
    listed = {each["name"]: each for each in json.loads(schedule("next", "-n", "3", "--json"))}
    paused, over, state = listed["missed_all_ticker"], listed["often_ticker"], fired.state("missed_all")
    assert state is not None
    assert (paused["every"], paused["cron"], paused["status"]) == ("20m", None, "paused")
    moments = [datetime.fromisoformat(each).timestamp() for each in paused["next"]]
    assert moments == [state.anchor + 1200 * each for each in (4, 5, 6)]
    assert over["next"] == []
    assert (listed["by_cron_schedule"]["cron"], len(listed["by_cron_schedule"]["next"])) == ("* * * * *", 3)
    assert schedule("resume", "missed_all_ticker") == "missed_all_ticker is running\n"
