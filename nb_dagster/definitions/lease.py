"""One process at a time in a piece of work, whichever machines the daemons are on."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from nb_dagster.definitions.home import alone_with


@contextlib.contextmanager
def lease(instance: dg.DagsterInstance, slot: str, *, at_most: float) -> Iterator[bool]:
    """Try to be the one that has a slot, in the block.

    Args:
        instance: the history.
        slot: name of the slot in the history's database; it is among the pools of the UI.
        at_most: seconds; who holds it longer was killed.

    Yields:
        Whether this process has it; where not, another one has.
    """
    storage, holder = instance.event_log_storage, f"{slot.rsplit('/', 1)[-1]}-{uuid.uuid4().hex}"
    with alone_with(instance):
        if storage.get_concurrency_info(slot).slot_count != 1:
            storage.set_concurrency_slots(slot, 1)
        now = datetime.now(timezone.utc)
        for each in storage.get_concurrency_info(slot).pending_steps:
            if now - each.enqueued_timestamp > timedelta(seconds=at_most):
                storage.free_concurrency_slot_for_step(each.run_id, each.step_key)
        is_ours: bool = storage.claim_concurrency_slot(slot, holder, "tick").is_claimed
    try:
        yield is_ours
    finally:
        with alone_with(instance):
            storage.free_concurrency_slot_for_step(holder, "tick")
