"""What Dagster stores of a run, read as what a person wants to know of it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, cast, get_args

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from nb_dagster.definitions.metadata import PATH_KEY
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.result import Status
from nb_dagster.runs.past_run import PastAttempt, PastRun, RunStatus

_READ = {
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
}
_UNDER_WAY: dict[str, RunStatus] = {"NOT_STARTED": "queued", "QUEUED": "queued", "CANCELING": "cancelling"}


def read_run(instance: dg.DagsterInstance, record: RunRecord, workflow: str | None = None) -> PastRun:
    """A run, or what a workflow has in it.

    Args:
        instance: the history.
        record: the run's row.
        workflow: name of the workflow; None, or the name of the run's job, is the whole run.
    """
    run = record.dagster_run
    log = _read_log(instance, run.run_id)
    is_whole = workflow is None or run.job_name == workflow
    if workflow is not None and not is_whole:
        log = log.only(workflow)
    status, reason = _whole(run, log) if is_whole else _part(run, log)
    started, ended = record.start_time or record.create_timestamp.timestamp(), record.end_time
    seconds = None if record.start_time is None else (ended or time.time()) - started
    if not is_whole and log.attempts:
        seconds = log.attempts[-1].duration_s
    return PastRun(
        run_id=run.run_id,
        job=run.job_name,
        status=status,
        reason=reason,
        started=_moment(started),
        ended=_moment(ended) if ended else None,
        duration_s=seconds,
        parameters=_parameters(run, log, None if is_whole else workflow),
        attempts=log.attempts,
    )


def step_name(step_key: str) -> str:
    """The name of a step's op in its graph, or of its asset.

    Example:
        >>> step_name("nightly__graph.train")
        'train'
    """
    return step_key.rsplit(".", 1)[-1].split("[", maxsplit=1)[0].removesuffix("__notebook")


@dataclass(frozen=True)
class _Log:
    """What a run's log says of its end.

    Attributes:
        attempts: the attempts of notebooks that have ended.
        failures: why steps failed, by their names.
        end: what was said of the run as a whole.
    """

    attempts: Sequence[PastAttempt]
    failures: Mapping[str, str]
    end: str | None

    def only(self, workflow: str) -> _Log:
        """What it says of one workflow."""
        attempts = [each for each in self.attempts if workflow in (each.workflow, each.step)]
        steps = {workflow, *(each.step for each in attempts)}
        return _Log(attempts, {step: words for step, words in self.failures.items() if step in steps}, None)

    @property
    def last(self) -> list[PastAttempt]:
        """The last attempt of each step."""
        return list({each.step: each for each in self.attempts}.values())


def _read_log(instance: dg.DagsterInstance, run_id: str) -> _Log:
    attempts: list[PastAttempt] = []
    failures: dict[str, str] = {}
    end = None
    for entry in instance.all_logs(run_id, of_type=_READ):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            failures[step_name(entry.step_key or "")] = failure_words(event)
        elif event.is_engine_event:
            attempt = _attempt(entry, event.engine_event_data.metadata)
            attempts += [attempt] if attempt else []
        else:
            end = event.message or None
    return _Log(attempts, failures, end)


def _attempt(entry: dg.EventLogEntry, metadata: Mapping[str, Any]) -> PastAttempt | None:
    """The attempt that an entry tells the end of, if it does."""
    said = {name: each.value for name, each in metadata.items()}
    if PATH_KEY not in said or said.get("status") not in get_args(Status):
        return None
    link = str(said.get("executed_notebook") or "")
    return PastAttempt(
        workflow=said["workflow"],
        step=step_name(entry.step_key) if entry.step_key else said["workflow"],
        number=said["attempt"],
        status=said["status"],
        reason=said.get("reason"),
        ended=_moment(entry.timestamp),
        duration_s=said.get("duration_s", 0.0),
        parameters=said.get("parameters") or {},
        commit=said.get("commit"),
        dirty=said.get("dirty"),
        executed_notebook=str(said[PATH_KEY]),
        page=link if re.match("https?://", link) and link != said[PATH_KEY] else None,
    )


def failure_words(event: dg.DagsterEvent) -> str:
    """Why a step failed, as its failure says it."""
    data: Any = event.step_failure_data
    said = data.user_failure_data and data.user_failure_data.description
    return str(said or (data.error and data.error.message.strip()) or event.message or "failed")


def _whole(run: dg.DagsterRun, log: _Log) -> tuple[RunStatus, str | None]:
    """How a run ended."""
    if run.status == dg.DagsterRunStatus.SUCCESS:
        only = log.last[0] if len(log.last) == 1 else None
        is_skipped = bool(log.last) and all(each.status == "skipped" for each in log.last)
        return "skipped" if is_skipped else "succeeded", only.reason if only else None
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "cancelled", next((each.reason for each in log.last if each.status == "cancelled"), None)
    if run.status == dg.DagsterRunStatus.FAILURE:
        return _failure(log)
    return _UNDER_WAY.get(run.status.value, "running"), None


def _part(run: dg.DagsterRun, log: _Log) -> tuple[RunStatus, str | None]:
    """How a workflow ended in a run that has others too."""
    last = log.attempts[-1] if log.attempts else None
    if log.failures:
        return _failure(log)
    if last is not None and (run.is_finished or last.status in ("succeeded", "skipped")):
        return last.status, last.reason
    if not run.is_finished:
        return _UNDER_WAY.get(run.status.value, "running"), None
    return "not_run", None


def _failure(log: _Log) -> tuple[RunStatus, str | None]:
    """Which failure ended a run; a step may fail also after its notebook has succeeded."""
    for each in log.last:
        if each.status not in ("succeeded", "skipped"):
            return each.status, each.reason
    if log.failures:
        return "failed", next(iter(log.failures.values()))
    status, _, words = (log.end or "").partition(": ")
    return (cast("Status", status), words) if status in get_args(Status) else ("failed", log.end)


def _parameters(run: dg.DagsterRun, log: _Log, workflow: str | None) -> Mapping[str, JSON]:
    """What the attempts were given; before there is one, what the run was launched with."""
    found: dict[str, Any] = {each.step: each.parameters for each in log.last}
    if not found:
        ops: Any = run.run_config.get("ops") or {}
        given = {step_name(op): each.get("config") or {} for op, each in ops.items()}
        found = {op: values for op, values in given.items() if workflow in (None, op)}
    return next(iter(found.values())) if len(found) == 1 else found


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
