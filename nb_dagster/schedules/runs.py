"""The runs of one workflow of a project, as its schedule sees them."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import RUN_KEY_TAG, SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.definitions.stopping import stop_run
from nb_dagster.definitions.worker import close_if_stale
from nb_dagster.errors import RunRefused
from nb_dagster.schedules.policy import iso

PROJECT_TAG = "nb_dagster/project"
"""Tag of a project's jobs: another project of the same history may have a workflow of the same name."""


@dataclass(frozen=True)
class WorkflowRuns:
    """The runs of a workflow's job.

    Attributes:
        project: the project's name.
        job: the job's name.
    """

    project: str
    job: str

    def unfinished(self, instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
        """Those that have not ended; one whose process was killed is ended here."""
        found = instance.get_runs(
            dg.RunsFilter(job_name=self.job, tags={PROJECT_TAG: self.project}, statuses=list(NOT_FINISHED_STATUSES))
        )
        return [each for each in found if not close_if_stale(instance, each.run_id)]

    def has_all(self, instance: dg.DagsterInstance, requests: list[dg.RunRequest]) -> bool:
        """Whether all that were asked for are there, and on their way."""
        moment = requests[0].tags[SCHEDULED_EXECUTION_TIME_TAG]
        tags = {PROJECT_TAG: self.project, SCHEDULED_EXECUTION_TIME_TAG: moment}
        found = instance.get_runs(dg.RunsFilter(job_name=self.job, tags=tags))
        there = {each.tags.get(RUN_KEY_TAG) for each in found if each.status != dg.DagsterRunStatus.NOT_STARTED}
        return all(each.run_key in there for each in requests)


def in_words(runs: list[dg.DagsterRun]) -> str:
    """That runs have not ended; empty where there are none."""
    if not runs:
        return ""
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"run {runs[-1].run_id}{more} from before has not ended"


def cancel(instance: dg.DagsterInstance, runs: list[dg.DagsterRun], why: str) -> list[str]:
    """Tell runs to end; gives what is to be said of each.

    One that is starting is left for the next look: Dagster has a worker fail that finds its run cancelled.
    """
    said = []
    for run in runs:
        if run.status in (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING):
            continue
        instance.report_engine_event(f"cancelled by its schedule: {why}", run)
        try:
            stop_run(instance, run)
        except RunRefused as refused:
            said.append(str(refused))
        else:
            said.append(f"run {run.run_id} is cancelled")
    return said


def request(moment: float, key: str | None = None) -> dg.RunRequest:
    """The request for the run of a moment, and of a partition where there are some."""
    run_key = iso(moment) if key is None else f"{iso(moment)} {key}"
    return dg.RunRequest(run_key=run_key, partition_key=key, tags={SCHEDULED_EXECUTION_TIME_TAG: iso(moment)})
