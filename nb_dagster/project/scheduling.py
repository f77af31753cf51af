"""What the project file says of a schedule, as a schedule that fires."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from nb_dagster.project.partitions import partitions_def
from nb_dagster.project.parts import Partitions, Schedule
from nb_dagster.schedules.firing import Firing
from nb_dagster.schedules.policy import Policy
from nb_dagster.schedules.runs import WorkflowRuns
from nb_dagster.schedules.timetable import Timetable, interval_seconds, seconds_of


def timetable_of(said: Schedule) -> Timetable:
    """The moments that a schedule names."""
    return Timetable(
        cron=said.cron,
        every=None if said.every is None else interval_seconds(said.every),
        timezone=said.timezone,
        start=seconds_of(said.start, said.timezone),
        until=seconds_of(said.until, said.timezone),
    )


def firing_of(project: str, workflow: str, said: Schedule, partitions: Partitions | None) -> Firing:
    """A workflow's schedule; one with partitions in time runs the last that has ended, one by values runs each.

    Args:
        project: the project's name.
        workflow: the workflow's.
        said: its schedule.
        partitions: its partitions.
    """
    policy = Policy(overlap=said.overlap, catchup=said.catchup, repeat=said.repeat)
    divided: Any = partitions_def(partitions)

    def keys(moment: float) -> list[str]:
        found = divided.get_partition_keys(current_time=datetime.fromtimestamp(moment, timezone.utc))
        return list(found[-1:] if partitions is not None and partitions.every else found)

    runs = WorkflowRuns(project, workflow)
    return Firing(runs, timetable_of(said), policy, keys=keys if divided is not None else None)
