"""A slot in the history's database that at most one has, whichever machines those who want it are on.

It is one of Dagster's own, of the pools in its UI. To claim one, and to free one, Dagster reads and then writes; where its
connections commit each statement by itself, as those to PostgreSQL do, two that claim a free slot at once both have it.
Here one statement does both.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.storage.event_log.schema import ConcurrencySlotsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from nb_dagster.errors import RunRefused

_TABLE = ConcurrencySlotsTable


def one_slot(instance: dg.DagsterInstance, slot: str) -> SqlEventLogStorage:
    """Where a slot is; it is made if there is none of its name.

    Raises:
        RunRefused: it is no SQL database.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise RunRefused(
            f"{type(storage).__name__} has no slots; keep Dagster's history in SQLite, PostgreSQL or MySQL"
        )
    if storage.get_concurrency_info(slot).slot_count != 1:
        storage.set_concurrency_slots(slot, 1)
    return storage


def take_slot(storage: SqlEventLogStorage, slot: str, run_id: str, step_key: str) -> bool:
    """Take a slot that is free.

    Args:
        storage: where the slot is.
        slot: its name.
        run_id: who wants it.
        step_key: what of that wants it.

    Returns:
        Whether it was free, and is theirs now.
    """
    is_free = (_TABLE.c.concurrency_key == slot) & _TABLE.c.step_key.is_(None) & ~_TABLE.c.deleted
    with storage.index_connection() as connection:
        taken = connection.execute(_TABLE.update().where(is_free).values(run_id=run_id, step_key=step_key))
        return bool(taken.rowcount)


def free_slot(storage: SqlEventLogStorage, slot: str, run_id: str) -> None:
    """Free a slot, if it is theirs still.

    Args:
        storage: where the slot is.
        slot: its name.
        run_id: who has it.
    """
    is_theirs = (_TABLE.c.concurrency_key == slot) & (_TABLE.c.run_id == run_id)
    with storage.index_connection() as connection:
        connection.execute(_TABLE.update().where(is_theirs).values(run_id=None, step_key=None))
