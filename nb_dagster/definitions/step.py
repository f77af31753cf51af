"""One Dagster step that runs one notebook: from its config to its result, whatever happens in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError

from nb_dagster.definitions.compute import kernel_compute
from nb_dagster.definitions.growth import grown
from nb_dagster.definitions.here import follower
from nb_dagster.definitions.metadata import attempt_metadata
from nb_dagster.definitions.partition_params import partition_values
from nb_dagster.definitions.progress import StepLog
from nb_dagster.definitions.resource import store_of
from nb_dagster.definitions.retries import failure_class
from nb_dagster.definitions.run_context import run_context, upstream_records
from nb_dagster.definitions.single_flight import single_flight
from nb_dagster.definitions.submitted import submitted_document
from nb_dagster.definitions.tags import tag_run
from nb_dagster.definitions.worker import close_lost_runs, ending_with, worker_of_step
from nb_dagster.definitions.workflow import Workflow
from nb_dagster.errors import RunRefused
from nb_dagster.interrupts import come_again
from nb_dagster.kernel.remote import EngineFailed
from nb_dagster.runner.result import NotebookFailed, NotebookResult
from nb_dagster.runner.run import NotebookRun
from nb_dagster.store.notebooks import NotebookStore
from nb_dagster.store.view import write_view


def run_step(context: dg.OpExecutionContext, workflow: Workflow, inputs: Mapping[str, Any]) -> NotebookResult:
    """Run the notebook of a step.

    Args:
        context: the step's context.
        workflow: what to run.
        inputs: upstream values by parameter name.

    Returns:
        The result of a run that succeeded, or skipped itself.

    Raises:
        dagster.Failure: the notebook did not succeed; the failure has its reason, its error and its link.
    """
    options, store, instead = dict(follower().options), store_of(context), follower().instead
    if instead is not None:
        instead(_specify(context, store, workflow, inputs, options))
    come_again()
    tag_run(context, workflow.name)
    log = StepLog(context, workflow.limits.output)
    on_busy = options.pop("single_flight", workflow.single_flight)
    try:
        with single_flight(context, on_busy, lambda words: log.event(words, {})):
            close_lost_runs(context.instance, store.recover())
            return _run(context, store, workflow, _specify(context, store, workflow, inputs, options), log)
    except RunRefused as refused:
        follower().on_refuse(refused)
        raise dg.Failure(str(refused), allow_retries=False) from None
    except EngineFailed as failed:
        follower().on_refuse(RunRefused(str(failed)))
        raise dg.Failure(f"failed: {failed}", allow_retries="infrastructure" in workflow.retry_on) from None


def _specify(
    context: dg.OpExecutionContext,
    store: NotebookStore,
    workflow: Workflow,
    inputs: Mapping[str, Any],
    options: dict[str, Any],
) -> NotebookRun:
    """What a step asks the runner to do."""
    number, document = context.retry_number + 1, submitted_document(context, workflow)
    partition, key = run_context(context), context.get_step_execution_context().step.key
    filled = partition_values(document, workflow.partition_params, partition)
    return NotebookRun(
        notebook=document,
        parameters={**filled, **(context.op_config or {}), **inputs},
        output=store.place(workflow.name, run_id=context.run_id, attempt=number, notebook=document.name),
        kernel=options.pop("kernel", workflow.kernel),
        preload=workflow.preload,
        cwd=options.pop("cwd", workflow.cwd),
        limits=replace(workflow.limits, **options),
        secrets=workflow.secrets,
        compute=kernel_compute(grown(workflow.compute, context.instance, context.run_id, key)),
        environment={**follower().environment, **workflow.environment},
        run_id=context.run_id,
        workflow=workflow.name,
        attempt=number,
        worker=str(worker_of_step(context) or ""),
        context={**partition, "data": str(store.data_folder(context.run.root_run_id or context.run_id))},
        upstream=upstream_records(context),
    )


def _run(
    context: dg.OpExecutionContext, store: NotebookStore, workflow: Workflow, run: NotebookRun, log: StepLog
) -> NotebookResult:
    from nb_dagster.runner.background import BackgroundRun  # brings nbclient

    background = BackgroundRun(run)
    follower().on_start(background)
    try:
        with ending_with(context, run.worker, background):
            log.consume(background)
    except BaseException:  # Dagster's cancel, most of all: stop the kernel, keep the notebook, and let it go on
        background.cancel()
        log.consume(background)
        if log.result is not None:
            _publish(context, store, log.result)
        raise
    assert log.result is not None, "a run that raised nothing ends with a result"  # noqa: S101 - an invariant of ours
    result = _publish(context, store, log.result)
    if result.status == "cancelled":  # by the executor of this step
        raise DagsterExecutionInterruptedError
    if not result.ok:
        raise dg.Failure(
            f"{result.status}: {result.reason}",
            metadata=attempt_metadata(context, result),
            allow_retries=failure_class(result) in workflow.retry_on,
        ) from NotebookFailed(result)
    return result


def _publish(context: dg.OpExecutionContext, store: NotebookStore, result: NotebookResult) -> NotebookResult:
    """Bring the notebook to its place, and tell the log where that is."""
    write_view(result.executed_notebook)
    published = store.publish(result)
    words = f"{published.status}: {published.reason}" if published.reason else published.status
    ran = sum(cell.status != "not_run" for cell in published.cells)
    message = (
        f"notebook {published.workflow}, attempt {published.attempt}: {words} "
        f"({ran} of {len(published.cells)} cells in {published.duration_s:.2f} s)"
    )
    StepLog(context).event(message, attempt_metadata(context, published))
    follower().on_end(published)
    return published
