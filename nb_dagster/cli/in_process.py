"""A Dagster run in this process, as ``nb-dagster run`` starts it, and how it ended."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterRunAlreadyExists
from dagster._core.storage.dagster_run import DagsterRunStatus

from nb_dagster.cli.idempotency import await_result, run_id_of
from nb_dagster.definitions.ci import ci_tags
from nb_dagster.definitions.here import Follower, follow
from nb_dagster.definitions.instance import open_history
from nb_dagster.definitions.resource import store_of_job
from nb_dagster.definitions.watching import watching
from nb_dagster.definitions.worker import WORKER_TAG, Worker, close_lost_runs, close_stale_runs
from nb_dagster.errors import RunRefused
from nb_dagster.runner.events import Event
from nb_dagster.runner.result import NotebookResult

_LOOK_EVERY = 2.0  # seconds between two looks at whether somebody has cancelled the run in the UI


def run_in_process(
    job: dg.JobDefinition,
    config: Mapping[str, Any],
    options: Mapping[str, Any],
    listener: Callable[[Event], None],
    *,
    key: str | None,
    notebook: str,
) -> NotebookResult:
    """Run a job of one notebook.

    Args:
        job: the job.
        config: the ops' config.
        options: what goes before the definition's own, as :class:`~nb_dagster.definitions.here.Follower` has it.
        listener: hears its events.
        key: an idempotency key; where it was used before, the result of that run is given.
        notebook: path of the source.

    Raises:
        RunRefused: the notebook cannot run as asked for.
        KeyboardInterrupt: it was cancelled before its notebook started.
        RuntimeError: Dagster ended the run before the notebook started.
    """
    results: list[NotebookResult] = []
    refusals: list[RunRefused] = []
    run_id = run_id_of(key) if key is not None else str(uuid.uuid4())

    def keep_result(result: NotebookResult) -> None:
        watch.set()
        results.append(result)
        run = instance.get_run_by_id(result.run_id)
        if result.status == "cancelled" and run is not None and run.status != DagsterRunStatus.CANCELING:
            instance.report_run_canceling(run)  # or Dagster takes the interrupt for a failure

    broken: BaseException | None = None
    follower = Follower(listener, options, on_refuse=refusals.append, on_end=keep_result)
    with open_history() as instance, follow(follower):
        close_lost_runs(instance, store_of_job(job, instance).recover())
        close_stale_runs(instance)
        try:
            with heeding_the_ui(instance, run_id) as watch:
                executed = job.execute_in_process(
                    {"ops": config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    instance=instance,
                    run_id=run_id,
                    raise_on_error=False,
                    tags={WORKER_TAG: str(Worker.of()), **ci_tags(os.environ)},
                    resources=_stored_values(job),
                )
        except DagsterRunAlreadyExists:
            assert key is not None, "a new id is nobody else's"  # noqa: S101 - an invariant of ours
            return await_result(instance, key, job=job.name, config=config, notebook=notebook)
        except BaseException as error:
            broken = error
        if results and not results[-1].ok:
            return results[-1]
        if refusals:
            raise refusals[-1]
        interrupted = _is_interrupt(broken) if broken else not results and _was_interrupted(executed)
        if interrupted:
            _report_cancelled(instance, run_id)
            raise KeyboardInterrupt
    if broken is not None:
        raise broken
    return _judge(results, executed)


def heeding_the_ui(instance: dg.DagsterInstance, run_id: str) -> AbstractContextManager[threading.Event]:
    """Interrupt this process when somebody cancels the run in the UI, which does not reach it by itself.

    Args:
        instance: the history.
        run_id: id of the run.
    """

    def is_cancelled() -> bool:
        run = instance.get_run_by_id(run_id)
        return run is not None and run.status in (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED)

    return watching(is_cancelled, lambda: os.kill(os.getpid(), signal.SIGINT), every=_LOOK_EVERY)


def _judge(results: list[NotebookResult], executed: dg.ExecuteInProcessResult) -> NotebookResult:
    """The result of a notebook that succeeded; its step may have failed for what it did not hand out, or for a check."""
    failures: list[Any] = [event.step_failure_data for event in executed.all_events if event.is_step_failure]
    if not results:
        said = [failure.error_display_string for failure in failures]
        raise RuntimeError("; ".join(said).splitlines()[0] if said else "the run ended before the notebook started")
    if not failures:
        return results[-1]
    failure = failures[-1]
    kind, _, words = " ".join(failure.error.message.split()).partition(": ")
    if kind.endswith("DagsterExecutionHandleOutputError"):
        raise RuntimeError(words)
    said = failure.user_failure_data and failure.user_failure_data.description
    return replace(results[-1], status="failed", reason=said or words)


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, (KeyboardInterrupt, DagsterExecutionInterruptedError))


def _report_cancelled(instance: dg.DagsterInstance, run_id: str) -> None:
    """Have the history say of an interrupt what it was; Dagster takes it for a failure, or says nothing."""
    run = instance.get_run_by_id(run_id)
    settled = (DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS)
    if run is not None and run.status not in settled:
        instance.report_run_canceled(run, "It was interrupted, which Dagster took for a failure.")


def _was_interrupted(executed: dg.ExecuteInProcessResult) -> bool:
    """Whether a Ctrl-C came before the notebook started; Dagster then tells of a failure."""
    errors = [getattr(event.event_specific_data, "error", None) for event in executed.all_events]
    named = " ".join(f"{error.cls_name} {error.message}" for error in errors if error is not None)
    unsaid = not any(event.is_step_failure for event in executed.all_events)
    return unsaid or "DagsterExecutionInterruptedError" in named or "KeyboardInterrupt" in named


def _stored_values(job: dg.JobDefinition) -> dict[str, Any]:
    """Values on disk, as other runs leave and find them: Dagster would keep those of such a run in memory only."""
    from dagster import FilesystemIOManager
    from dagster._core.definitions.job_definition import default_job_io_manager

    is_default = job.resource_defs.get("io_manager") is default_job_io_manager
    return {"io_manager": FilesystemIOManager()} if is_default else {}
