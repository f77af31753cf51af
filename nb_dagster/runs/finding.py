"""The runs of a workflow in Dagster's storage, newest first, by what it has an index for.

They are those of the job of that name, those that were to materialize the asset of that name, and those that the workflow's
tag is on. Each of the three is read page by page, as far as somebody asks, and they are merged by their order.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from nb_dagster.definitions.tags import workflow_tag
from nb_dagster.errors import RunRefused
from nb_dagster.runs.past_run import STATUSES, RunStatus

SHORTEST = 4
"""Characters of an id that a person may leave it at."""
_LOOKED_AT = 10_000  # of the newest runs
_FIRST_PAGE, _PAGE = 25, 500
_MADE_BY: dict[RunStatus, set[str]] = {
    "succeeded": {"SUCCESS"},
    "skipped": {"SUCCESS"},
    "failed": {"FAILURE"},
    "timed_out": {"FAILURE"},
    "killed": {"FAILURE"},
    "cancelled": {"CANCELED", "FAILURE"},
    "queued": {"NOT_STARTED", "QUEUED"},
    "running": {"STARTING", "STARTED", "MANAGED"},
    "cancelling": {"CANCELING"},
    "not_run": set(),
}
"""The statuses that Dagster may have for a whole run that we call so."""
_PART_OF = {"failed", "timed_out", "killed", "cancelled", "not_run"}
"""Ends of a notebook after which a larger run does not succeed."""


@dataclass(frozen=True)
class Wanted:
    """Which runs are asked for.

    Attributes:
        statuses: how they ended or how far they are; empty for any.
        since: they were made then or later.
        until: they were made by then.
    """

    statuses: Collection[RunStatus] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for each in self.statuses:
            if each not in STATUSES:
                raise ValueError(f"a status is one of {', '.join(STATUSES)}, not {each!r}")
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{moment.isoformat()} has no time zone; give one with it")

    def of_runs(self, job: str | None = None) -> dg.RunsFilter | None:
        """The same, as far as Dagster can say it of whole runs; None where no run can be such.

        Args:
            job: their job.
        """
        made_by = {status for each in self.statuses for status in _MADE_BY[each]}
        return self._filter(made_by, job_name=job) if made_by or not self.statuses else None

    def of_larger_runs(self, **which: Any) -> dg.RunsFilter:
        """The same of runs that a workflow is only a part of.

        Args:
            **which: what else they have, as for ``dg.RunsFilter``.
        """
        return self._filter(
            {"FAILURE", "CANCELED"} if self.statuses and set(self.statuses) <= _PART_OF else (), **which
        )

    def _filter(self, statuses: Collection[str], **which: Any) -> dg.RunsFilter:
        return dg.RunsFilter(
            statuses=[dg.DagsterRunStatus(each) for each in sorted(statuses)],
            created_after=self.since and self.since.astimezone(timezone.utc),
            created_before=self.until and self.until.astimezone(timezone.utc),
            **which,
        )


def newest_first(instance: dg.DagsterInstance, workflow: str | None, wanted: Wanted) -> Iterator[RunRecord]:
    """The runs of a workflow that may be such as are wanted.

    Args:
        instance: the history.
        workflow: its name; None for all runs.
        wanted: which ones; how a notebook ended is only told by its run's log, which this does not read.
    """
    sources = [_by_filter(instance, wanted.of_runs(workflow))]
    if workflow is not None:
        sources.append(_by_filter(instance, wanted.of_larger_runs(tags={workflow_tag(workflow): "true"})))
        sources += [_by_asset(instance, key, wanted) for key in _asset_keys(workflow)]
    seen: set[int] = set()
    for record in heapq.merge(*sources, key=lambda each: -each.storage_id):
        if record.storage_id not in seen:
            seen.add(record.storage_id)
            yield record


def find_run(instance: dg.DagsterInstance, name: str) -> dg.DagsterRun:
    """The run with that id; or the latest of the workflow of that name; or the only one whose id begins so.

    Raises:
        RunRefused: there is none, or more than one.
    """
    run = instance.get_run_by_id(name)
    if run is not None:
        return run
    for record in newest_first(instance, name, Wanted()):
        return record.dagster_run
    newest = instance.get_run_ids(limit=_LOOKED_AT) if len(name) >= SHORTEST else []
    found = [run_id for run_id in newest if run_id.startswith(name)]
    if len(found) > 1:
        raise RunRefused(f"{name!r} begins the ids of {len(found)} runs, of {found[0]} and {found[1]} first; give more")
    run = instance.get_run_by_id(found[0]) if found else None
    if run is None:
        raise RunRefused(
            f"the history in {instance.root_directory} has no run {name!r}; give its id, how it begins, or the name of a "
            "workflow that has run"
        )
    return run


def _by_filter(instance: dg.DagsterInstance, wanted: dg.RunsFilter | None) -> Iterator[RunRecord]:
    cursor, size = None, _FIRST_PAGE
    while wanted is not None:
        page = instance.get_run_records(wanted, limit=size, cursor=cursor)
        yield from page
        if len(page) < size:
            return
        cursor, size = page[-1].dagster_run.run_id, _PAGE


def _by_asset(instance: dg.DagsterInstance, key: dg.AssetKey, wanted: Wanted) -> Iterator[RunRecord]:
    """The runs that were to materialize an asset; where only success is asked for, those that did."""
    has_succeeded = set(wanted.statuses) == {"succeeded"}
    kind = (
        dg.DagsterEventType.ASSET_MATERIALIZATION
        if has_succeeded
        else dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    )
    cursor, size = None, _FIRST_PAGE
    while True:
        entries = dg.EventRecordsFilter(
            kind,
            asset_key=key,
            before_cursor=cursor,
            after_timestamp=wanted.since.timestamp() if wanted.since else None,
            before_timestamp=wanted.until.timestamp() if wanted.until else None,
        )
        page = instance.event_log_storage.get_event_records(entries, limit=size)
        ids = list(dict.fromkeys(each.run_id for each in page))
        if ids:
            found = instance.get_run_records(wanted.of_larger_runs(run_ids=ids))
            yield from sorted(found, key=lambda each: -each.storage_id)
        if len(page) < size:
            return
        cursor, size = page[-1].storage_id, _PAGE


def _asset_keys(workflow: str) -> list[dg.AssetKey]:
    """The assets that may be meant: ``name``, or ``prefix__name`` as the command line has one with a prefix."""
    return [dg.AssetKey(parts) for parts in {(workflow,), tuple(filter(None, workflow.split("__")))} if parts]
