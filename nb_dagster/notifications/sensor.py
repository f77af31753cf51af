"""The sensor that tells people: it runs in Dagster's daemon, so it outlives every run and hears of killed ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from nb_dagster.definitions.lease import lease
from nb_dagster.definitions.resource import RESOURCE_KEY
from nb_dagster.definitions.worker import close_lost_runs, close_stale_runs
from nb_dagster.errors import RunRefused
from nb_dagster.notifications.cursor import BATCH, Cursor
from nb_dagster.notifications.ends import RunLog
from nb_dagster.notifications.missed import MissedNews
from nb_dagster.notifications.notices import Audience
from nb_dagster.notifications.outbox import send
from nb_dagster.notifications.rules import Notify
from nb_dagster.schedules.definition import METADATA_KEY
from nb_dagster.schedules.missed import MissedMoments
from nb_dagster.store.notebooks import NotebookStore

EVERY = 30
"""Seconds between two looks at the history."""
SLOT = "nb_dagster/notifications"
HELD_AT_MOST = 180.0  # seconds; Dagster ends a sensor's tick long before


def notification_sensor(*rules: Notify, ui: str | None = None, name: str = "notifications") -> dg.SensorDefinition:
    """A sensor that tells people how runs of its code location ended, for ``dg.Definitions(sensors=...)``.

    It is started with the definitions; what ended before its first look nobody is told of. Each target is told once of
    an outcome of a run, which the run's log then says; a message that is not taken is tried five times over 42 minutes.

    Args:
        *rules: who is told of what.
        ui: address of Dagster's UI, such as ``http://127.0.0.1:3000``; messages then link the run.
        name: the sensor's name.

    Raises:
        RunRefused: a target is none, or apprise is not installed.

    Example:
        >>> dg.Definitions(assets=[...], sensors=[notification_sensor(Notify(["env:SLACK_URL"], on=["failure", "retry"]))])
    """
    if not rules:
        raise RunRefused("notifications are sent by rules: notification_sensor(Notify([...]), ...)")
    audience = Audience(rules, ui)

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with lease(context.instance, SLOT, at_most=HELD_AT_MOST) as is_ours:
            return _tick(context, audience, name) if is_ours else dg.SkipReason("another process sends at this moment")

    return dg.SensorDefinition(
        name,
        evaluation_fn=tick,
        minimum_interval_seconds=EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells {len(rules)} {'rule' if len(rules) == 1 else 'rules'} of people how runs ended.",
    )


def _tick(context: dg.SensorEvaluationContext, audience: Audience, name: str) -> dg.SensorResult:
    instance = context.instance
    _close_lost(context)
    cursor, ended = Cursor.read(context.cursor, instance).advance(instance)
    waiting, later = cursor.pending[:BATCH], cursor.pending[BATCH:]
    runs = _runs(instance, {*waiting, *ended}, with_running=audience.hears_of("retry"))
    deliveries = [
        each
        for run in runs
        if _is_of_this_location(context, run)
        for each in audience.open_deliveries(instance, RunLog.read(instance, run))
    ]
    if audience.hears_of("missed"):
        deliveries += MissedNews(context, name).open_deliveries(audience, _schedules(context))
    left = {(each.run_id, each.key) for each in deliveries}
    sent = 0
    for each, answer in send(each for each in deliveries if each.mark.is_due):
        if each.settle(answer):
            left.discard((each.run_id, each.key))
            sent += not isinstance(answer, Exception)
    not_yet = {run.run_id for run in runs if run.run_id in ended and not run.is_finished}  # its event comes first
    pending = not_yet.union(run_id for run_id, _ in left if run_id is not None).difference(later)
    return dg.SensorResult(
        skip_reason=f"{sent} sent, {len(left)} to be sent",
        cursor=str(replace(cursor, pending=[*later, *sorted(pending)])),
    )


def _runs(instance: dg.DagsterInstance, run_ids: set[str], *, with_running: bool) -> list[dg.DagsterRun]:
    found = instance.get_runs(dg.RunsFilter(run_ids=list(run_ids))) if run_ids else []
    running = instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)) if with_running else []
    return [*found, *(run for run in running if run.run_id not in run_ids)]


def _schedules(context: dg.SensorEvaluationContext) -> Iterator[MissedMoments]:
    """What is kept of the schedules of this code location that projects have made."""
    repository = context.repository_def
    if repository is None:
        return
    fired: list[dg.ScheduleDefinition | dg.SensorDefinition] = [*repository.schedule_defs, *repository.sensor_defs]
    for each in fired:
        said = each.metadata.get(METADATA_KEY)
        if isinstance(said, dg.JsonMetadataValue) and isinstance(said.data, dict):
            yield MissedMoments(str(said.data["project"]), str(each.job_name))


def _is_of_this_location(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    """Whether a run is of the definitions that the sensor is of; one that was started by itself is told by its job."""
    here, origin = context.code_location_origin, run.remote_job_origin
    if origin is not None and here is not None:
        return origin.repository_origin.code_location_origin.location_name == here.location_name
    return context.repository_def is None or context.repository_def.has_job(run.job_name)


def _close_lost(context: dg.SensorEvaluationContext) -> None:
    """End the runs whose process was killed on this machine; by themselves they would run forever."""
    if context.repository_def is None:
        return
    try:
        close_lost_runs(context.instance, _store(context, context.repository_def).recover())
        close_stale_runs(context.instance)
    except Exception as error:  # what is wrong with the store is no reason to tell nobody of anything
        context.log.warning("runs whose process was killed cannot be looked for: %s", error)


def _store(context: dg.SensorEvaluationContext, repository: dg.RepositoryDefinition) -> NotebookStore:
    definition = repository.get_top_level_resources().get(RESOURCE_KEY)
    if definition is None:
        return NotebookStore()
    with dg.build_resources({RESOURCE_KEY: definition}, instance=context.instance) as built:
        return NotebookStore(built.notebooks.store)
