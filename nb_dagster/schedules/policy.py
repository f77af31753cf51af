"""What becomes of the moments of a schedule: which run, wait, or are let go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Final, Literal, TypeAlias

from nb_dagster.schedules.timetable import AT_MOST

Overlap: TypeAlias = Literal["skip", "queue", "cancel"]
Catchup: TypeAlias = Literal["none", "last", "all"]

LATE: Final = 60.0
"""Seconds after which a moment that nobody has looked at counts as missed."""
MISSED: Final = "it was missed"
"""Why such a moment is let go, as the UI has it."""


@dataclass(frozen=True)
class Policy:
    """What is to become of moments that come at a bad time.

    Attributes:
        overlap: of those at which a run from before has not ended.
        catchup: of those that were missed.
        repeat: how many runs there are to be; None sets no end.
    """

    overlap: Overlap = "skip"
    catchup: Catchup = "last"
    repeat: int | None = None


@dataclass(frozen=True)
class State:
    """What is known of a schedule from one look to the next; moments are in seconds since the epoch.

    Attributes:
        said: what the schedule said; where it says something else now, all begins anew.
        anchor: when it was first seen.
        seen: up to where its moments are settled.
        fired: how many of them have been run.
        waiting: those that wait for a run to end, oldest first.
        claimed: the one whose run is being made.
        claimed_at: since when.
    """

    said: str
    anchor: float
    seen: float
    fired: int = 0
    waiting: tuple[float, ...] = ()
    claimed: float | None = None
    claimed_at: float = 0.0

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> State:
        """The state that a text is of."""
        said = json.loads(text)
        return cls(**{**said, "waiting": tuple(said["waiting"])})

    def is_over(self, policy: Policy) -> bool:
        """Whether it has run as often as it may."""
        return policy.repeat is not None and self.fired + len(self.waiting) >= policy.repeat


def admit(
    state: State, due: Sequence[float], now: float, policy: Policy, busy: str | None
) -> tuple[State, dict[float, str]]:
    """Settle moments that have come.

    Args:
        state: the state before.
        due: the moments, oldest first.
        now: this moment.
        policy: the policy.
        busy: what has not ended, in words; None where nothing is running.

    Returns:
        The state after, in which all of them wait or are settled; and why some are let go.
    """
    missed = [each for each in due if now - each > LATE]
    on_time = due[len(missed) :]
    caught_up = {"none": [], "last": [] if on_time else missed[-1:], "all": missed}[policy.catchup]
    let_go = {each: MISSED for each in missed if each not in caught_up}
    for each in caught_up:
        if state.is_over(policy) or len(state.waiting) >= AT_MOST:
            break
        state = replace(state, waiting=(*state.waiting, each))
    for each in on_time:
        if policy.overlap == "cancel" and state.waiting:
            let_go.update(dict.fromkeys(state.waiting, f"{iso(each)} came before it could run"))
            state = replace(state, waiting=())
        if state.is_over(policy):
            break
        if policy.overlap == "skip" and (busy or state.waiting):
            let_go[each] = busy or f"{iso(state.waiting[0])} has not run yet"
            continue
        if len(state.waiting) >= AT_MOST:
            let_go[each] = f"{AT_MOST:,} wait already"
            continue
        state = replace(state, waiting=(*state.waiting, each))
    return replace(state, seen=max([state.seen, *due])), let_go


def iso(moment: float) -> str:
    """A moment as Dagster's tags have it."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()
