"""The moments of a schedule that were not run, as they are kept for those who want to be told.

They are in the history's database, beside what is known of the schedule. Who writes them has the schedule's lease.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import dagster as dg

from nb_dagster.schedules.policy import MISSED, Policy

_LATE = "Dagster's daemon came to it more than a minute late"
_KEPT = 100  # of a schedule; they are told within a minute or two


@dataclass(frozen=True)
class Missed:
    """Moments that one look let go, all for one reason; times are in seconds since the epoch.

    Attributes:
        first: the oldest of them.
        last: the newest.
        count: how many they are.
        why: why they were let go, and by which policy.
        run_id: the run that held them up; None where none did.
        found: when they were let go.
    """

    first: float
    last: float
    count: int
    why: str
    run_id: str | None
    found: float


@dataclass(frozen=True)
class MissedMoments:
    """The moments of a workflow's schedule that were not run, the last hundred times that there were some.

    Attributes:
        project: the project's name.
        job: the job's name.
    """

    project: str
    job: str

    def add(
        self,
        instance: dg.DagsterInstance,
        let_go: Mapping[float, str],
        policy: Policy,
        unfinished: Sequence[dg.DagsterRun],
        now: float,
    ) -> None:
        """Keep moments that were let go; of those that are kept already nothing changes.

        Args:
            instance: the history.
            let_go: why, by moment.
            policy: the schedule's.
            unfinished: its runs that have not ended, newest first.
            now: this moment.
        """
        kept = [missed for _, missed in read_missed(instance, [self])]
        known = {each.first for each in kept}
        for why in dict.fromkeys(let_go.values()):
            moments = [moment for moment, reason in let_go.items() if reason == why]
            said = f"{_LATE} (catchup: {policy.catchup})" if why == MISSED else f"{why} (overlap: {policy.overlap})"
            run_id = next((run.run_id for run in unfinished if run.run_id in why), None)
            if min(moments) not in known:
                kept.append(Missed(min(moments), max(moments), len(moments), said, run_id, now))
        if len(kept) > len(known):
            values = [asdict(each) for each in kept[-_KEPT:]]
            instance.daemon_cursor_storage.set_cursor_values({self.key: json.dumps(values)})

    @property
    def key(self) -> str:
        """Where they are."""
        return f"nb_dagster/missed/{self.project}/{self.job}"


def read_missed(
    instance: dg.DagsterInstance, schedules: Iterable[MissedMoments]
) -> Iterator[tuple[MissedMoments, Missed]]:
    """What is kept of schedules, of each the oldest first."""
    by_key = {each.key: each for each in schedules}
    texts = instance.daemon_cursor_storage.get_cursor_values(set(by_key)) if by_key else {}
    for key, text in texts.items():
        for each in json.loads(text):
            yield by_key[key], Missed(**each)
