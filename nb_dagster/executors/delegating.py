"""Dagster's executor for steps that are elsewhere, and whether those are retried that ended without saying how."""

from __future__ import annotations

from typing import Any

from dagster._core.events import DagsterEvent
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.executor.step_delegating import StepDelegatingExecutor


class NotebookExecutor(StepDelegatingExecutor):
    """Retries a step that was lost for the same classes of failure as one that says how it ended."""

    def log_failure_or_retry_event_after_error(self, step_context: Any, err_info: Any, known_state: Any) -> Any:
        """Fail the step for good, where another attempt is not wanted; otherwise as its policy says."""
        handler: Any = self._step_handler
        if handler.may_retry(step_context.step.key):
            return super().log_failure_or_retry_event_after_error(step_context, err_info, known_state)
        failure = StepFailureData(error=err_info, user_failure_data=None)  # type: ignore[no-untyped-call]
        return DagsterEvent.step_failure_event(step_context=step_context, step_failure_data=failure)
