"""Dagster's side of a schedule: a schedule of its own where that can do it, or else a sensor."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from nb_dagster.schedules.firing import Firing
from nb_dagster.schedules.timetable import in_interval

METADATA_KEY = "nb_dagster/schedule"
"""Name of the metadata of both, from which others know the project, and compute the next moments."""
_CRON_LOOK = 10
_LONGEST_LOOK = 30


def is_sensor(firing: Firing) -> bool:
    """Whether it takes a sensor: Dagster's scheduler knows only crons, and does nothing between two moments."""
    policy = firing.policy
    return (
        firing.timetable.every is not None
        or policy.repeat is not None
        or (policy.overlap, policy.catchup == "all") != ("skip", False)
    )


def name_of(workflow: str, firing: Firing) -> str:
    """The name; Dagster cannot tell the state of a schedule from that of a sensor of the same name."""
    return f"{workflow}_{'ticker' if is_sensor(firing) else 'schedule'}"


def definition_of(
    workflow: str, job: Any, firing: Firing, *, enabled: bool
) -> dg.ScheduleDefinition | dg.SensorDefinition:
    """The definition of a workflow's schedule.

    Args:
        workflow: its name.
        job: its job.
        firing: its schedule.
        enabled: whether it is on from the start.
    """
    table, policy = firing.timetable, firing.policy
    said = {"project": firing.runs.project, **dataclasses.asdict(table), **dataclasses.asdict(policy)}
    name, metadata = name_of(workflow, firing), {METADATA_KEY: dg.MetadataValue.json(said)}
    if is_sensor(firing):

        def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
            return firing.look(context.instance, context.log, context.last_sensor_start_time)

        return dg.SensorDefinition(
            name,
            evaluation_fn=look,
            job=job,
            minimum_interval_seconds=_looks_every(table.every),
            default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
            description=f"Runs {workflow} {f'every {in_interval(table.every)}' if table.every else f'by the cron {table.cron}'}.",
            metadata=metadata,
        )

    def fire(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        instance, moment = context.instance, context.scheduled_execution_time.timestamp()
        yield from firing.fire(instance, moment, started=lambda: _started(instance, name))

    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=str(table.cron),
        execution_timezone=table.timezone,
        execution_fn=fire,
        default_status=dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED,
        metadata=metadata,
    )


def _started(instance: dg.DagsterInstance, name: str) -> float:
    """When a schedule of Dagster's was last turned on, in seconds since the epoch."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    data = [each.instigator_data for each in states if each.instigator_name == name]
    return max((each.start_timestamp or 0.0 for each in data if isinstance(each, ScheduleInstigatorData)), default=0.0)


def _looks_every(every: int | None) -> int:
    """Seconds between two looks: a tenth of the interval, and for the shortest each round of the daemon.

    The daemon goes round every five seconds; a sensor that asks for exactly that would miss every second round.
    """
    return _CRON_LOOK if every is None else max(4, min(_LONGEST_LOOK, every // 10))
