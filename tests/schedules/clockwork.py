"""A schedule of a project under a clock of the test's own: the daemon is played, its history is real."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG, SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.schedules import firing
from tests.project.projects import definitions, write_project

DAWN = datetime(2026, 1, 1, 6, tzinfo=timezone.utc).timestamp()
"""When each test begins: a moment of all crons there are here."""


class Clockwork:
    """The schedule of the workflow ``ingest``, and what a daemon would do with it.

    Args:
        folder: of the project and its history.
        schedule: what the project file says of it, in YAML.
        patch: sets the clock.
        more: what it says of the workflow beside.
        project: what it says of the project.
        instance: its history; None takes one on disk, which outlives the daemon.
    """

    def __init__(
        self,
        folder: Path,
        schedule: str,
        patch: pytest.MonkeyPatch,
        more: str = "",
        project: str = "",
        instance: dg.DagsterInstance | None = None,
    ) -> None:
        text = f"name: shop\n{project}\nworkflows: {{ingest: {{schedule: {schedule}{more}}}}}"
        self.definitions = definitions(write_project(folder, text))
        self.repository = self.definitions.get_repository_def()
        self.instance = instance or dg.DagsterInstance.local_temp(str(folder))
        self.now = DAWN
        self.clock = SimpleNamespace(time=lambda: self.now, sleep=self._sleep)
        patch.setattr(firing, "time", self.clock)
        self.said: list[str] = []

    def at(self, *seconds: float, ends: bool = True, started: float | None = None) -> list[int]:
        """Have the daemon look at these moments, in seconds since dawn; the moments whose runs it makes.

        Args:
            *seconds: the moments.
            ends: whether each run is over at once.
            started: when the schedule was turned on again.
        """
        made = []
        for each in seconds:
            self.now = DAWN + each
            made += [self.make(request, ends=ends) for request in self.look(started)]
        return made

    def look(self, started: float | None = None) -> list[dg.RunRequest]:
        """What a look at this moment asks for."""
        sensor = self.repository.get_sensor_def("ingest_ticker")
        since = None if started is None else DAWN + started
        with dg.build_sensor_context(
            self.instance, repository_def=self.repository, last_sensor_start_time=since
        ) as context:
            tick = sensor.evaluate_tick(context)
        self.said.append(tick.skip_message or "")
        return list(tick.run_requests or ())

    def fire(self, second: float) -> list[dg.RunRequest]:
        """What Dagster's scheduler is told to run of a moment."""
        (schedule,) = self.repository.schedule_defs
        moment = datetime.fromtimestamp(DAWN + second, timezone.utc)
        with dg.build_schedule_context(
            self.instance, scheduled_execution_time=moment, repository_def=self.repository
        ) as context:
            tick = schedule.evaluate_tick(context)
        self.said.append(tick.skip_message or "")
        return list(tick.run_requests or ())

    def make(self, request: dg.RunRequest, *, ends: bool = True) -> int:
        """Make the run of a request, as the daemon does; the second it is of."""
        job = self.repository.get_job("ingest")
        tags = {**job.tags, **request.tags, RUN_KEY_TAG: str(request.run_key)}
        status = dg.DagsterRunStatus.SUCCESS if ends else dg.DagsterRunStatus.STARTED
        self.instance.add_run(dg.DagsterRun("ingest", tags=tags, status=status))
        moment = datetime.fromisoformat(request.tags[SCHEDULED_EXECUTION_TIME_TAG])
        return round(moment.timestamp() - DAWN)

    def launch(self) -> str:
        """Start a run by hand, which goes on."""
        run = dg.DagsterRun(
            "ingest", tags=dict(self.repository.get_job("ingest").tags), status=dg.DagsterRunStatus.STARTED
        )
        self.instance.add_run(run)
        return run.run_id

    def end_all(self) -> None:
        """Have all runs end."""
        for run in self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            self.instance.report_run_canceled(run)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
