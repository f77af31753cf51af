"""A pipeline's run in this process: its notebooks as threads, recorded in Dagster's history."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.reconstruct import build_reconstructable_job
from dagster._core.events import RunFailureReason
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.storage.dagster_run import DagsterRunStatus

from nb_dagster.cli.in_process import heeding_the_ui
from nb_dagster.cli.pipeline import Pipeline, load_job
from nb_dagster.cli.pipeline_result import PipelineResult, StepResult
from nb_dagster.cli.unchanged import unchanged_steps
from nb_dagster.definitions.ci import ci_tags
from nb_dagster.definitions.here import Follower, Listener, follow
from nb_dagster.definitions.resource import store_of_job
from nb_dagster.definitions.worker import WORKER_TAG, Worker, close_lost_runs, close_stale_runs
from nb_dagster.errors import RunRefused
from nb_dagster.runner.result import NotebookResult, Status
from nb_dagster.runs.past_run import PastRun
from nb_dagster.runs.reading import failure_words, read_run, step_name


@dataclass(frozen=True)
class PipelineRun:
    """A run of a pipeline that is to be.

    Attributes:
        pipeline: the pipeline.
        instance: the history.
        config: the run config.
        tags: tags of the run, its partition among them.
        parent: the run whose failure it goes on from; None runs all of it.
        skip_unchanged: whether to leave out what has not changed since it last ran.
    """

    pipeline: Pipeline
    instance: dg.DagsterInstance
    config: Mapping[str, Any]
    tags: Mapping[str, str]
    parent: dg.DagsterRun | None = None
    skip_unchanged: bool = False

    def execute(self, listener: Listener) -> PipelineResult:
        """Run it, and wait for it.

        Args:
            listener: hears the events of its notebooks, in several threads.

        Raises:
            RunRefused: its config does not fit the job, or nothing of the failed run is left to do.
            KeyboardInterrupt: it was cancelled before any step started.
        """
        name, instance = self.pipeline.job.name, self.instance
        close_lost_runs(instance, store_of_job(self.pipeline.job, instance).recover())
        close_stale_runs(instance)
        job = build_reconstructable_job(load_job.__module__, load_job.__name__, (name,), {}, os.getcwd())
        plan = self._plan(job)
        unchanged = list(unchanged_steps(self.pipeline.job, plan, self.config, instance)) if self.skip_unchanged else []
        left_out = {each.name: each.run_id for each in unchanged}
        if len(unchanged) == len(plan.step_keys_to_execute):
            steps = list(_steps(instance, None, plan, {}, left_out))
            return PipelineResult(name, None, "skipped", "nothing has changed", 0.0, steps)
        run = self._create(job, plan, {key for each in unchanged for key in each.keys})
        results: dict[str, NotebookResult] = {}
        lock = threading.Lock()

        def keep(result: NotebookResult) -> None:
            if result.status == "cancelled":
                watch.set()
            with lock:
                results[result.executed_notebook] = result
                now = instance.get_run_by_id(run.run_id)
                if result.status == "cancelled" and now is not None and now.status != DagsterRunStatus.CANCELING:
                    instance.report_run_canceling(now)  # or Dagster takes the interrupt for a failure

        with follow(Follower(listener, on_end=keep)), heeding_the_ui(instance, run.run_id) as watch:
            executed = execute_run(job, run, instance)  # of the assets that were selected for it
        if any(_is_interrupt(event) for event in executed.all_events):  # between two notebooks
            instance.report_run_canceled(run, "It was interrupted, which Dagster took for a failure.")
        record = instance.get_run_record_by_id(run.run_id)
        assert record is not None, "a run that was made is in the history"  # noqa: S101 - an invariant of ours
        past = read_run(instance, record)
        return _result(name, past, list(_steps(instance, past, plan, results, left_out)))

    def _plan(self, job: Any) -> ExecutionPlan:
        steps, state = None, None
        if self.parent is not None:
            steps, state = KnownExecutionState.build_resume_retry_reexecution(self.instance, self.parent)
            if not steps:
                raise RunRefused(
                    f"all steps of run {self.parent.run_id} have succeeded; there is nothing to go on with"
                )
        try:
            return create_execution_plan(
                job, self.config, step_keys_to_execute=steps, known_state=state, tags=self.tags
            )
        except dg.DagsterInvalidConfigError as invalid:
            found = "; ".join(" ".join(each.message.split()) for each in invalid.errors)
            raise RunRefused(f"{self.pipeline.job.name} does not take the run's config: {found}") from None

    def _create(self, job: Any, plan: ExecutionPlan, left_out: set[dg.AssetKey]) -> dg.DagsterRun:
        definition, parent, config = job.get_definition(), self.parent, self.config
        selection = None
        if left_out:
            selection = frozenset(definition.asset_layer.selected_asset_keys - left_out)
            definition = job.get_subset(asset_selection=selection).get_definition()
            config = {
                **config,
                "ops": {op: config["ops"][op] for op in definition.graph.node_dict if op in config["ops"]},
            }
            plan = create_execution_plan(definition, config, tags=self.tags)
        return self.instance.create_run_for_job(
            definition,
            execution_plan=plan,
            run_config=config,
            tags={**definition.run_tags, **self.tags, **ci_tags(os.environ), WORKER_TAG: str(Worker.of())},
            asset_selection=selection,
            parent_run_id=parent.run_id if parent else None,
            root_run_id=(parent.root_run_id or parent.run_id) if parent else None,
            job_code_origin=job.get_python_origin(),
        )


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Whether it is the end of a run by a Ctrl-C that nobody had announced to Dagster."""
    data: Any = event.event_specific_data
    return event.is_job_failure and data.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION


def _steps(
    instance: dg.DagsterInstance,
    past: PastRun | None,
    plan: ExecutionPlan,
    results: Mapping[str, NotebookResult],
    left_out: Mapping[str, str],
) -> Iterator[StepResult]:
    """The steps of a run that is over, in their order; those that were left out have the run that made them."""
    ends = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED}
    entries = instance.all_logs(past.run_id, of_type=ends) if past else []
    ended = {each.step_key: each.dagster_event for each in entries if each.dagster_event is not None}
    last = {each.step: each for each in past.attempts} if past else {}
    dependencies = plan.get_executable_step_deps()
    for step in plan.get_steps_to_execute_in_topo_order():
        name, event = step_name(step.key), ended.get(step.key)
        after = sorted(step_name(each) for each in dependencies[step.key])
        attempt = last.get(name)
        if name in left_out:
            yield StepResult(name, "skipped", f"it has not changed since run {left_out[name]}", after)
            continue
        if attempt is None:
            yield StepResult(name, *_unstarted(event, after), after)
            continue
        result = results.get(attempt.executed_notebook)
        if event is not None and event.is_step_failure and attempt.status in ("succeeded", "skipped"):
            yield StepResult(name, "failed", failure_words(event), after, result)  # of what it did not hand out
        else:
            yield StepResult(name, attempt.status, attempt.reason, after, result)


def _unstarted(event: dg.DagsterEvent | None, after: list[str]) -> tuple[Any, str | None]:
    """How a step ended that has run no notebook: an ordinary op, one that was refused, or was not reached."""
    if event is None:
        return "not_run", f"it comes after {', '.join(after)}" if after else None
    if event.is_step_failure:
        return "failed", failure_words(event)
    return ("succeeded", None) if event.is_step_success else ("skipped", "what it comes after was skipped")


def _result(name: str, past: PastRun, steps: list[StepResult]) -> PipelineResult:
    worst = max(steps, key=lambda each: each.exit_code)
    status, reason, is_infrastructure = past.status, past.reason, False
    if status not in ("succeeded", "skipped", "cancelled"):
        is_infrastructure = not worst.exit_code
        if worst.exit_code:
            status, reason = worst.status, f"{worst.name}: {worst.reason}"
    return PipelineResult(
        name, past.run_id, cast(Status, status), reason, past.duration_s or 0.0, steps, is_infrastructure
    )
