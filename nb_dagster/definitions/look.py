"""What a step would run, without a run: its parameters, the values and records from upstream, where its kernel is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NoReturn

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.context.compute import enter_execution_context
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode

from nb_dagster.definitions.here import Follower, follow
from nb_dagster.errors import RunRefused
from nb_dagster.runner.run import NotebookRun


class _Seen(Exception):
    def __init__(self, run: NotebookRun) -> None:
        super().__init__()
        self.run = run


def look_at_step(
    job: dg.JobDefinition,
    step_key: str,
    run: dg.DagsterRun,
    instance: dg.DagsterInstance,
    *,
    options: Mapping[str, Any],
    as_of: float | None = None,
) -> NotebookRun:
    """What a notebook's step asks the runner to do; nothing of it comes into the history.

    Args:
        job: its job.
        step_key: the step.
        run: its run, which need not be in the history.
        instance: the history, where the values from upstream are found.
        options: ``kernel`` and ``cwd``, which go before those of the definition.
        as_of: seconds since the epoch; what was materialized later is not seen.

    Raises:
        RunRefused: its parameters do not fit, or a value from upstream is not there.
    """
    quiet: Any = copy.copy(instance)
    quiet.handle_new_event = lambda *_, **__: None
    config = {**run.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    state = _known_state(run, instance)
    try:
        plan = create_execution_plan(InMemoryJob(job), config, [step_key], state, tags=run.tags)
        contexts = PlanExecutionContextManager(
            InMemoryJob(job), plan, config, run, quiet, RetryMode.DISABLED, raise_on_error=True
        )
        list(contexts.prepare_context())
        try:
            planned: Any = plan.get_step_by_key(step_key)
            step = contexts.get_context().for_step(planned, state)
            with follow(Follower(options=options, instead=_take, as_of=as_of)):
                _run(step)
        finally:
            list(contexts.shutdown_context())
    except _Seen as seen:
        return seen.run
    except dg.DagsterError as error:
        cause = error.__cause__ or error
        raise RunRefused(f"{step_key}: what it would run cannot be told ({_first_line(cause)})") from None
    raise AssertionError(f"{step_key} is no notebook's step")


def _known_state(run: dg.DagsterRun, instance: dg.DagsterInstance) -> KnownExecutionState:
    """What a run that goes on from another one knew of that."""
    plan_id = run.execution_plan_snapshot_id
    plan = instance.get_execution_plan_snapshot(plan_id) if plan_id else None
    return (plan and plan.initial_known_state) or KnownExecutionState()


def _take(run: NotebookRun) -> NoReturn:
    raise _Seen(run)


def _run(step: Any) -> None:
    """Run the step up to where its notebook would start."""
    assert isinstance(step, StepExecutionContext), "a plan with resources makes such"  # noqa: S101 - Dagster's own type
    with enter_execution_context(step) as context:
        values = dict(_inputs(step))
        list(step.op_def.compute_fn(context, values))  # type: ignore[operator]


def _inputs(step: StepExecutionContext) -> Any:
    for each in step.step.step_inputs:
        definition = step.op_def.input_def_named(each.name)
        if definition.dagster_type.is_nothing:
            continue
        for found in each.source.load_input_object(step, definition):
            if not isinstance(found, dg.DagsterEvent):
                yield each.name, found


def _first_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
