"""People are told of the moments of a schedule that were not run: why, which run held them up, and once."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

import nb_dagster as nbd
from nb_dagster.notifications import marks, missed
from tests.notifications.servers import Service, service
from tests.schedules.clockwork import DAWN, Clockwork

CRON = '{cron: "0 * * * *", catchup: none}'
INTERVAL = "{every: 20m, catchup: none}"


class Told(Clockwork):
    """A schedule with a sensor that tells of it, which has looked once.

    Args:
        folder: of the project and its history.
        schedule: what the project file says of it, in YAML.
        patch: sets the clock.
        notify: what it says of who is told.
        targets: the targets.
        project: what it says of the project beside.
        instance: its history; None takes one in memory.
    """

    def __init__(
        self,
        folder: Path,
        schedule: str,
        patch: pytest.MonkeyPatch,
        notify: str = "{missed: [team]}",
        targets: str = "{team: 'env:HOOK'}",
        project: str = "",
        instance: dg.DagsterInstance | None = None,
    ) -> None:
        project += f"\nstore: {folder}/store\nnotifications: {{targets: {targets}, ui: 'http://127.0.0.1:3000'}}"
        super().__init__(
            folder, schedule, patch, f", notify: {notify}", project, instance or dg.DagsterInstance.ephemeral()
        )
        for each in (missed, marks):
            patch.setattr(each, "time", self.clock)
        self.tell()

    def miss(self) -> None:
        """Have the schedule of 20 minutes miss its first moment."""
        self.at(0, 1300)

    def tell(self) -> str:
        """Have the sensor look, as a daemon does that has just been started; what it says of it."""
        sensor = self.repository.get_sensor_def("shop_notifications")
        with dg.build_sensor_context(self.instance, repository_def=self.repository) as context:
            return sensor.evaluate_tick(context).skip_message or ""


@pytest.fixture
def hook(webhook: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("HOOK", webhook.url)
    return webhook


@pytest.fixture
def on_disk(tmp_path: Path) -> dg.DagsterInstance:
    """A history as Dagster's schedules, which are no sensors, need it."""
    return dg.DagsterInstance.local_temp(str(tmp_path))


def test_of_a_moment_at_which_a_run_had_not_ended_it_says_which(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(tmp_path, "1m", monkeypatch)
    told.at(0, 60, 120, ends=False)
    assert told.tell() == "1 sent, 0 to be sent"
    (run_id,) = told.instance.get_run_ids()
    (body,) = hook.bodies()
    assert body["title"] == "ingest was not run at 2026-01-01T06:02:00+00:00"
    assert f"reason: run {run_id} from before has not ended (overlap: skip)" in body["message"]
    assert f"run: http://127.0.0.1:3000/runs/{run_id}" in body["message"]
    assert body["message"].endswith("message: ingest/missed/2026-01-01T06:02:00+00:00")


@pytest.mark.parametrize(("catchup", "last"), [("none", "07:00"), ("last", "06:40")])
def test_moments_that_were_missed_together_are_one_message(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch, catchup: str, last: str
) -> None:
    told = Told(tmp_path, f"{{every: 20m, catchup: {catchup}}}", monkeypatch)
    told.at(0, 4000)
    told.tell()
    (body,) = hook.bodies()
    count = {"none": 3, "last": 2}[catchup]
    first, end = "2026-01-01T06:20:00+00:00", f"2026-01-01T{last}:00+00:00"
    assert body["title"] == f"ingest was not run {count} times, from {first} to {end}"
    assert f"reason: Dagster's daemon came to it more than a minute late (catchup: {catchup})" in body["message"]


def test_of_a_cron_both_are_told(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch, on_disk: dg.DagsterInstance
) -> None:
    told = Told(tmp_path, CRON, monkeypatch, instance=on_disk)
    run_id = told.launch()
    told.now += 5
    told.fire(0)
    told.now = DAWN + 5000
    told.fire(3600)
    told.tell()
    assert hook.titles() == [f"ingest was not run at 2026-01-01T0{hour}:00:00+00:00" for hour in (6, 7)]
    assert [run_id in body["message"] for body in hook.bodies()] == [True, False]


def test_of_a_cron_those_are_told_that_dagsters_scheduler_passes_over(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch, on_disk: dg.DagsterInstance
) -> None:
    told = Told(tmp_path, '"0 * * * *"', monkeypatch, instance=on_disk)
    told.make(*told.fire(0))
    told.now = DAWN + 3 * 3600
    assert len(told.fire(3 * 3600)) == 1
    told.tell()
    assert hook.titles() == ["ingest was not run 2 times, from 2026-01-01T07:00:00+00:00 to 2026-01-01T08:00:00+00:00"]


def test_what_came_while_a_cron_was_paused_was_not_missed(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch, on_disk: dg.DagsterInstance
) -> None:
    told = Told(tmp_path, '"0 * * * *"', monkeypatch, instance=on_disk)
    told.make(*told.fire(0))
    location = GrpcServerCodeLocationOrigin("127.0.0.1", 1, location_name="shop")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), "ingest_schedule")
    resumed = ScheduleInstigatorData("0 * * * *", DAWN + 10_000)
    told.instance.add_instigator_state(
        InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, resumed)
    )
    told.now = DAWN + 3 * 3600
    told.fire(3 * 3600)
    assert told.tell() == "0 sent, 0 to be sent"


def test_it_is_told_once_by_whichever_daemon(tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path, INTERVAL, monkeypatch)
    told.miss()
    assert [told.tell() for _ in range(3)] == ["1 sent, 0 to be sent"] + ["0 sent, 0 to be sent"] * 2
    assert len(hook.taken) == 1


def test_what_was_not_taken_is_tried_again_when_its_time_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(500) as hook:
        monkeypatch.setenv("HOOK", hook.url)
        told = Told(tmp_path, INTERVAL, monkeypatch)
        told.miss()
        assert [told.tell(), told.tell()] == ["0 sent, 1 to be sent"] * 2
        assert hook.asked == 1
        told.now += marks.FIRST_WAIT
        assert told.tell() == "1 sent, 0 to be sent"
        assert len(hook.taken) == 1


def test_it_is_not_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(*[500] * 20) as hook:
        monkeypatch.setenv("HOOK", hook.url)
        told = Told(tmp_path, INTERVAL, monkeypatch)
        told.miss()
        for _ in range(7):
            told.now += 3600
            told.tell()
        assert hook.asked == marks.MAX_TRIES


def test_of_what_was_missed_before_nobody_is_told_later(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Clockwork(tmp_path, INTERVAL, monkeypatch, instance=dg.DagsterInstance.ephemeral())
    before.at(-2000, -700)
    told = Told(tmp_path, INTERVAL, monkeypatch, instance=before.instance)
    told.at(500)
    told.tell()
    both = "{team: 'env:HOOK', boss: 'env:BOSS'}"
    more = Told(tmp_path, INTERVAL, monkeypatch, "{missed: [team, boss]}", both, instance=told.instance)
    more.now += 600
    assert more.tell() == "0 sent, 0 to be sent"
    assert hook.titles() == ["ingest was not run at 2026-01-01T06:06:40+00:00"]


def test_who_hears_of_failures_only_is_not_told(tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path, INTERVAL, monkeypatch, "[team]")
    told.miss()
    assert told.tell() == "0 sent, 0 to be sent"
    assert hook.asked == 0


def test_of_a_pipelines_schedule_those_are_told_who_hear_of_its_workflows(
    tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch, on_disk: dg.DagsterInstance
) -> None:
    pipeline = f"pipelines: {{nightly: {{workflows: [ingest], schedule: {CRON}}}}}"
    told = Told(tmp_path, "1d", monkeypatch, project=pipeline, instance=on_disk)
    told.now += 100
    told.fire(0)
    told.tell()
    assert hook.titles() == ["nightly was not run at 2026-01-01T06:00:00+00:00"]


def test_in_python_a_rule_tells_of_all_projects_beside_it(
    tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    clockwork = Clockwork(tmp_path, INTERVAL, monkeypatch, instance=dg.DagsterInstance.ephemeral())
    monkeypatch.setattr(missed, "time", clockwork.clock)
    sensor = nbd.notification_sensor(nbd.Notify([webhook.url], on=["missed"]))
    both = dg.Definitions.merge(clockwork.definitions, dg.Definitions(sensors=[sensor]))
    for second in (0, 1300):
        clockwork.at(second)
        with dg.build_sensor_context(clockwork.instance, repository_def=both.get_repository_def()) as context:
            sensor.evaluate_tick(context)
    assert webhook.titles() == ["ingest was not run at 2026-01-01T06:20:00+00:00"]
