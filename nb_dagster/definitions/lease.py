"""One process at a time in a piece of work, whichever machines the daemons are on."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Iterator

import dagster as dg

from nb_dagster.definitions.home import alone_with
from nb_dagster.definitions.slots import free_slot, one_slot, take_slot


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
    name, now = slot.rsplit("/", 1)[-1], time.time()
    holder = f"{name} {now:.0f} {uuid.uuid4().hex}"
    with alone_with(instance):
        storage = one_slot(instance, slot)
        for each in storage.get_concurrency_info(slot).claimed_slots:
            if now - _since(each.run_id) > at_most:
                free_slot(storage, slot, each.run_id)
        is_ours = take_slot(storage, slot, holder, "tick")
    try:
        yield is_ours
    finally:
        if is_ours:
            free_slot(storage, slot, holder)


def _since(holder: str) -> float:
    """Since when a slot is held, by the holder's own clock: that of a database may be in another time zone."""
    found = re.fullmatch(r".* (\d+) [0-9a-f]{32}", holder)
    return float(found[1]) if found else 0.0
