"""Which runs are looked at next: those that have ended since the last time, and those of which not all is told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

import dagster as dg
from dagster._core.event_api import RunStatusChangeEventType, RunStatusChangeRecordsFilter

BATCH = 50
"""Runs that are looked at in one tick, of each kind."""
_LOOK_BACK = 1000  # ids: a database gives them out in order, but shows them in that of the commits
_ENDS: tuple[RunStatusChangeEventType, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


@dataclass(frozen=True)
class Cursor:
    """What a tick leaves for the next.

    Attributes:
        floor: id of the last end in the history before the sensor's first tick; of those nobody is told.
        after: the highest id of an end that was looked at.
        seen: ids that were looked at, as far back as is looked again.
        pending: runs of which not all is told yet.
    """

    floor: int
    after: int
    seen: list[int] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str | None, instance: dg.DagsterInstance) -> Cursor:
        """The cursor that a tick left; for the first tick, one at the end of the history."""
        if text:
            return cls(**json.loads(text))
        newest = [
            record.storage_id for kind in _ENDS for record in instance.fetch_run_status_changes(kind, limit=1).records
        ]
        last = max(newest, default=-1)
        return cls(floor=last, after=last)

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    def advance(self, instance: dg.DagsterInstance) -> tuple[Cursor, list[str]]:
        """Look for runs that have ended since.

        Returns:
            The cursor behind them, and their ids, at most :data:`BATCH`.
        """
        start, seen = max(self.floor, self.after - _LOOK_BACK), set(self.seen)
        found = {
            record.storage_id: record.run_id
            for kind in _ENDS
            for record in instance.fetch_run_status_changes(
                RunStatusChangeRecordsFilter(kind, after_storage_id=start), limit=BATCH + len(seen), ascending=True
            ).records
        }
        new = sorted(found.keys() - seen)[:BATCH]
        after = max([self.after, *new])
        kept = sorted(each for each in seen.union(new) if each > after - _LOOK_BACK)
        return replace(self, after=after, seen=kept), list(dict.fromkeys(found[each] for each in new))
