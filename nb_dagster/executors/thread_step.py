"""A notebook step in a thread of the run's process."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import execute_plan_iterator
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.step_delegating import StepHandlerContext

from nb_dagster.definitions.here import follow, follower
from nb_dagster.executors.step import STOP_SECONDS, Step, key_of


class ThreadStep(Step):
    """A notebook step in a thread.

    Args:
        job: the job, as Dagster can load it again.
        plan: the plan of this step alone.
        instance: the instance that all threads share.
        context: what Dagster says of the step.
        environment: variables for its kernel.
    """

    def __init__(
        self, job: Any, plan: ExecutionPlan, instance: dg.DagsterInstance, context: StepHandlerContext, environment: Any
    ) -> None:
        self._job, self._instance, self._run = job, instance, context.dagster_run
        self._plan: ExecutionPlan | None = plan
        self._retry_mode = context.execute_step_args.retry_mode
        self._background: Any = None
        self._is_stopping = False
        self._is_done = False
        self._follower = replace(follower(), environment=environment, on_start=self._follow)
        self._thread = threading.Thread(target=self._work, name=key_of(context), daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_running(self) -> bool:
        """Whether the thread is still going."""
        return self._thread.is_alive()

    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""
        return self._is_done

    def stop(self) -> None:
        """Cancel the notebook, and wait until its kernel is gone."""
        self._is_stopping = True
        if self._background is not None:
            self._background.cancel()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _follow(self, background: Any) -> None:
        self._background = background
        if self._is_stopping:  # the cancel came while the notebook was being prepared
            background.cancel()

    def _work(self) -> None:
        cancelled = contextlib.suppress(DagsterExecutionInterruptedError)  # the executor did it
        try:
            with follow(self._follower), cancelled:
                assert self._plan is not None  # noqa: S101 - it goes at the end of this
                for _ in execute_plan_iterator(
                    self._plan,
                    self._job,
                    self._run,
                    self._instance,
                    retry_mode=self._retry_mode,
                    run_config=self._run.run_config,
                ):
                    pass
            self._is_done = True
        finally:
            self._background = self._plan = None  # the run may have many more steps, and remembers all of them
