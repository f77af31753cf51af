"""A step of a run, as the executor sees it: wherever it goes on, it starts, stops, and says how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dagster._core.events import DagsterEventType
from dagster._core.executor.step_delegating import StepHandlerContext

STOP_SECONDS = 10.0
"""Seconds that a step may take to stop; a cancelled kernel is gone within five."""
FAILURES = {DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY}
"""How an attempt of a step tells Dagster that it failed."""


class Step(ABC):
    """One step that was launched."""

    @abstractmethod
    def start(self) -> None:
        """Start it; what it does goes on in the background."""

    @abstractmethod
    def is_running(self) -> bool:
        """Whether it is still going."""

    @abstractmethod
    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it, and wait until what it started is gone."""

    def may_retry(self) -> bool:
        """Whether another attempt is wanted, where it ended without saying how."""
        return True

    def how_it_ended(self) -> str:
        """How a step ended that did not say it, in words."""
        return "ended without saying how"


def key_of(context: StepHandlerContext) -> str:
    """The key of the one step that is launched."""
    (key,) = context.execute_step_args.step_keys_to_execute or ()
    return key


def end_told(context: StepHandlerContext) -> DagsterEventType | None:
    """How this attempt of that step told Dagster that it ended; None where it did not, whatever a later one has."""
    key, args = key_of(context), context.execute_step_args
    earlier = args.known_state.get_retry_state().get_attempt_count(key) if args.known_state else 0
    entries = context.instance.all_logs(args.run_id, of_type={DagsterEventType.STEP_SUCCESS, *FAILURES})
    ends = [entry.dagster_event_type for entry in entries if entry.step_key == key]
    return ends[earlier] if len(ends) > earlier else None
