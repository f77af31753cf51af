"""A history of many runs, written straight into Dagster's storage: by job, by asset, and by tag, ten workflows in turn.

Logs of steps are a database each on SQLite: only the runs that questions lead to have one.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, EngineEventData, StepMaterializationData
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._serdes import serialize_value

from nb_dagster.definitions.metadata import PATH_KEY
from nb_dagster.definitions.tags import workflow_tag

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_LOGGED = 210  # of the newest runs, and of those before the middle, the runs of ASKED
ASKED = {"job": "job_1", "asset": "asset_4", "tag": "tag_8"}
"""The workflows that are asked for, by their kind."""
KINDS = ("job",) * 4 + ("asset",) * 3 + ("tag",) * 3
_BATCH = 5000
_FAILS = 7  # one in so many


def make_past(instance: dg.DagsterInstance, count: int) -> None:
    """Write runs, one a minute."""
    logged: list[tuple[dg.DagsterRun, str]] = []
    for first in range(0, count, _BATCH):
        runs, tags, events = [], [], []
        for number in range(first, min(first + _BATCH, count)):
            run, made = _run(number), START + timedelta(minutes=number)
            kind, name = KINDS[number % 10], _name(number)
            runs.append(_row(run, made))
            is_told = number >= count - _LOGGED or count // 2 - _LOGGED // 10 <= number <= count // 2
            if is_told and name in ASKED.values():
                logged.append((run, name))
            if kind == "tag":
                tags.append({"run_id": run.run_id, "key": workflow_tag(name), "value": "true"})
            if kind == "asset":
                events += list(_events(run, name, made))
        with instance.run_storage.connect() as connection:
            connection.execute(RunsTable.insert(), runs)
            connection.execute(RunTagsTable.insert(), tags)
        with instance.event_log_storage.index_connection() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), events)
    for run, name in logged:
        _tell(instance, run, name)


def _tell(instance: dg.DagsterInstance, run: dg.DagsterRun, name: str) -> None:
    """Write what the log of a run says of its notebook."""
    status = "succeeded" if run.status == dg.DagsterRunStatus.SUCCESS else "failed"
    metadata: dict[str, Any] = {"workflow": name, "status": status, "attempt": 1, PATH_KEY: f"/notebooks/{name}.ipynb"}
    instance.report_engine_event(
        f"notebook {name}, attempt 1: {status}", run, EngineEventData(metadata=metadata), step_key=name
    )


def _name(number: int) -> str:
    return f"{KINDS[number % 10]}_{number % 10}"


def _run(number: int) -> dg.DagsterRun:
    jobs = {"job": _name(number), "asset": "__ASSET_JOB", "tag": "nightly"}
    status = dg.DagsterRunStatus.SUCCESS if number % _FAILS else dg.DagsterRunStatus.FAILURE
    config = {"ops": {_name(number): {"config": {"n": number}}}}
    return dg.DagsterRun(job_name=jobs[KINDS[number % 10]], run_id=str(uuid.uuid4()), status=status, run_config=config)


def _row(run: dg.DagsterRun, made: datetime) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "pipeline_name": run.job_name,
        "status": run.status.value,
        "run_body": serialize_value(run),
        "create_timestamp": made.replace(tzinfo=None),
        "update_timestamp": made.replace(tzinfo=None),
        "start_time": made.timestamp(),
        "end_time": made.timestamp() + 5,
    }


def _events(run: dg.DagsterRun, name: str, made: datetime) -> Iterator[Mapping[str, Any]]:
    """That an asset was to be materialized, and that it was."""
    key, step = dg.AssetKey(name), f"{name}__notebook"
    data: dict[str, Any] = {"ASSET_MATERIALIZATION_PLANNED": AssetMaterializationPlannedData(key)}
    if run.status == dg.DagsterRunStatus.SUCCESS:
        data["ASSET_MATERIALIZATION"] = StepMaterializationData(dg.AssetMaterialization(key))
    for kind, details in data.items():
        event = dg.DagsterEvent(kind, run.job_name, step_key=step, event_specific_data=details)
        entry = dg.EventLogEntry(
            error_info=None,
            level=logging.INFO,
            user_message="",
            run_id=run.run_id,
            timestamp=made.timestamp(),
            step_key=step,
            job_name=run.job_name,
            dagster_event=event,
        )
        yield {
            "run_id": run.run_id,
            "event": serialize_value(entry),
            "dagster_event_type": kind,
            "timestamp": made.replace(tzinfo=None),
            "step_key": step,
            "asset_key": key.to_string(),
        }
