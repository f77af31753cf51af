"""At most one run of a workflow at a time, whichever processes and machines its runs are started from.

Who runs holds a slot in the history's database, one of Dagster's own: it is in the UI, among the pools. A slot whose run
is over, or whose process is gone, is free for the next one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias, get_args

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from nb_dagster.definitions.here import follower
from nb_dagster.definitions.home import alone_with
from nb_dagster.definitions.slots import free_slot, one_slot, take_slot
from nb_dagster.definitions.worker import close_if_stale, tag_worker
from nb_dagster.errors import RunRefused

OnBusy: TypeAlias = Literal["refuse", "queue"]
_LOOK_EVERY = 0.5  # seconds between two tries of a run that waits


def check_single_flight(on_busy: OnBusy | None, owner: str) -> OnBusy | None:
    """What becomes of a second run, as it is given.

    Raises:
        RunRefused: it is neither of both.
    """
    if on_busy is not None and on_busy not in get_args(OnBusy):
        raise RunRefused(f"{owner}: single_flight is {' or '.join(get_args(OnBusy))}, not {on_busy!r}")
    return on_busy


@contextlib.contextmanager
def single_flight(
    context: dg.OpExecutionContext, on_busy: OnBusy | None, tell: Callable[[str], None]
) -> Iterator[None]:
    """Hold the slot of a step's workflow in the block, and until its next attempt where there is to be one.

    Args:
        context: the step's context.
        on_busy: what to do while another run has it; None holds nothing.
        tell: hears for whom this one waits.

    Raises:
        RunRefused: another run has it, and this one is not to wait.
    """
    if on_busy is None:
        yield
        return
    flight = _SingleFlight(context)
    flight.take(on_busy, tell)
    try:
        yield
    except dg.Failure as failure:
        if not (failure.allow_retries and _has_attempts_left(context)):
            flight.free()
        raise
    except BaseException:
        flight.free()
        raise
    flight.free()


def _has_attempts_left(context: dg.OpExecutionContext) -> bool:
    policy = context.get_step_execution_context().op_retry_policy
    return policy is not None and context.retry_number < policy.max_retries


class _SingleFlight:
    """The slot of a workflow, for one of its steps.

    Args:
        context: the step's context.
    """

    def __init__(self, context: dg.OpExecutionContext) -> None:
        step = context.get_step_execution_context()
        self._context, self._instance, self._run_id = context, context.instance, context.run_id
        self._workflow = context.op_def.name.removesuffix("__notebook")
        self._slot = f"single_flight/{self._workflow}"
        self._step_key = f"{step.step.key} (single flight)"  # the step's own key is its pool's
        self._cancelled = threading.Event()

    def take(self, on_busy: OnBusy, tell: Callable[[str], None]) -> None:
        """Take the slot.

        Args:
            on_busy: whether to wait while another run has it.
            tell: hears for whom it waits.

        Raises:
            RunRefused: another run has it, and this one is not to wait.
        """
        holder = self._try()
        if holder is None:
            return
        if on_busy == "refuse":
            self.free()
            raise RunRefused(
                f"{self._workflow} is running already, in run {holder}, and single_flight refuses a second run; "
                f"wait for that one, or cancel it (nb-dagster cancel {holder[:8]})"
            )
        tell(f"waiting for run {holder}, which runs {self._workflow} at this moment")
        follower().on_start(self)
        try:
            while not self._cancelled.wait(_LOOK_EVERY) and self._try() is not None:
                pass
        except BaseException:
            self.free()
            raise
        if self._cancelled.is_set():
            self.free()
            raise DagsterExecutionInterruptedError

    def free(self) -> None:
        """Give the slot back, or the place in the queue."""
        with alone_with(self._instance):
            self._leave()

    def cancel(self) -> None:
        """Wait no longer."""
        self._cancelled.set()

    def _try(self) -> str | None:
        """Take the slot; where another run has it, the id of that run."""
        with alone_with(self._instance):
            storage = one_slot(self._instance, self._slot)
            self._free_those_over(storage)
            while not self._claims(storage):
                info = storage.get_concurrency_info(self._slot)
                if holders := {*info.active_run_ids} or {*info.assigned_run_ids} - {self._run_id}:
                    return min(holders)
                self._leave()  # freed between our question and our place in the queue, it would call nobody up
        return None

    def _claims(self, storage: SqlEventLogStorage) -> bool:
        """Take the slot when it is our turn; Dagster's queue of a pool says whose turn it is."""
        slot, run_id, key = self._slot, self._run_id, self._step_key
        if not storage.has_pending_step(slot, run_id, key):
            storage.add_pending_step(slot, run_id, key, should_assign=storage.has_unassigned_slots(slot))
        turn = storage.check_concurrency_claim(slot, run_id, key)
        is_ours = turn.is_claimed or (turn.is_assigned and take_slot(storage, slot, run_id, key))
        if is_ours:
            tag_worker(self._context)
        return is_ours

    def _leave(self) -> None:
        self._instance.event_log_storage.free_concurrency_slot_for_step(self._run_id, self._step_key)

    def _free_those_over(self, storage: SqlEventLogStorage) -> None:
        info = storage.get_concurrency_info(self._slot)
        for run_id in {*info.active_run_ids, *info.assigned_run_ids, *info.pending_run_ids} - {self._run_id}:
            if close_if_stale(self._instance, run_id):
                free_slot(storage, self._slot, run_id)
                storage.free_concurrency_slots_for_run(run_id)
