"""A schedule at work: it looks at the clock and at the runs, and says which runs are to be made.

What it knows is in the history's database, among the cursors of Dagster's daemons: so it outlives all of them, and two
daemons know the same. Dagster makes a run some time after it was asked to; until the run is there, its moment is claimed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import dagster as dg
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.definitions.lease import lease
from nb_dagster.schedules.missed import MissedMoments
from nb_dagster.schedules.policy import LATE, MISSED, Policy, State, admit, iso
from nb_dagster.schedules.runs import WorkflowRuns, cancel, in_words, request
from nb_dagster.schedules.timetable import Timetable

CLAIMED_FOR: Final = 30.0
"""Seconds after which a run that was asked for and is not there is asked for again: whoever was to make it was killed."""
_LOOK_EVERY: Final = 1.0  # seconds between two tries to have a claim


@dataclass(frozen=True)
class Firing:
    """The schedule of a workflow.

    Attributes:
        runs: the workflow's runs.
        timetable: its moments.
        policy: what becomes of those that come at a bad time.
        keys: the partitions that the run of a moment has, a run each; None where the workflow has none.
    """

    runs: WorkflowRuns
    timetable: Timetable
    policy: Policy
    keys: Callable[[float], list[str]] | None = None

    def look(self, instance: dg.DagsterInstance, log: Any, started: float | None) -> dg.SensorResult | dg.SkipReason:
        """What is to be run now, of all moments that have come since the last look.

        Args:
            instance: the history.
            log: hears of the moments that are let go.
            started: when somebody last turned the schedule on; what was before that nobody wanted.
        """
        now = time.time()
        with lease(instance, self._key, at_most=CLAIMED_FOR) as is_ours:
            if not is_ours:
                return dg.SkipReason("another process looks at it at this moment")
            before = self._state(instance, now)
            if before.claimed is not None:
                requests = self._requests(before.claimed)
                if not self.runs.has_all(instance, requests):
                    return self._ask_again(instance, before, requests, now)
            state = replace(before, claimed=None, seen=max(before.seen, started or 0.0))
            due = self.timetable.between(state.seen, now, state.anchor)
            unfinished = self.runs.unfinished(instance) if due or state.waiting else []
            state, let_go = admit(state, due, now, self.policy, in_words(unfinished))
            self._keep(instance, let_go, unfinished, now)
            requests = []
            while state.waiting and not unfinished and not requests:
                first, *later = state.waiting
                state, requests = replace(state, waiting=tuple(later)), self._requests(first)
                if requests:
                    state = replace(state, claimed=first, claimed_at=now, fired=state.fired + 1)
                else:
                    let_go[first] = "no partition has ended yet"
            self._write(instance, state)
        words = [f"{iso(moment)} does not run: {why}" for moment, why in let_go.items()]
        if state.waiting and unfinished and self.policy.overlap == "cancel":
            words += cancel(instance, unfinished, f"{iso(state.waiting[0])} has come")
        for each in words:
            log.info(each)
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=str(state))
        return dg.SensorResult(skip_reason="; ".join(words) or self._idle(state, unfinished, now), cursor=str(state))

    def fire(
        self, instance: dg.DagsterInstance, moment: float, started: Callable[[], float]
    ) -> Sequence[dg.RunRequest | dg.SkipReason]:
        """What is to be run of one moment, which Dagster's scheduler has found; or why nothing is.

        Args:
            instance: the history.
            moment: the moment, in seconds since the epoch.
            started: finds when somebody last turned the schedule on.
        """
        refused = self._not_now(moment)
        requests = self._requests(moment)
        if refused or not (requests or self._is_missed(moment, time.time())):
            return [dg.SkipReason(refused or "no partition has ended yet")]
        while (answer := self._try(instance, moment, requests, started)) is None:
            time.sleep(_LOOK_EVERY)
        return answer

    def _try(
        self,
        instance: dg.DagsterInstance,
        moment: float,
        requests: list[dg.RunRequest],
        started: Callable[[], float],
    ) -> Sequence[dg.RunRequest | dg.SkipReason] | None:
        """Claim a moment; None where another process has claimed it, and its run is not there yet."""
        with lease(instance, self._key, at_most=CLAIMED_FOR) as is_ours:
            if not is_ours:
                return None
            now = time.time()
            state = self._passed_over(instance, moment, now, started)
            if self._is_missed(moment, now):
                self._keep(instance, {moment: MISSED}, [], now)
                return [dg.SkipReason(f"{iso(moment)} was missed")]
            if self.runs.has_all(instance, requests):
                return requests  # Dagster finds the runs, and makes none
            if state.claimed == moment and now - state.claimed_at < CLAIMED_FOR:
                return None
            unfinished = [
                run
                for run in self.runs.unfinished(instance)
                if run.tags.get(SCHEDULED_EXECUTION_TIME_TAG) != iso(moment)
            ]
            if unfinished:
                self._keep(instance, {moment: in_words(unfinished)}, unfinished, now)
                return [dg.SkipReason(in_words(unfinished))]
            self._write(instance, replace(state, claimed=moment, claimed_at=now, fired=state.fired + 1))
        return requests

    def _passed_over(
        self, instance: dg.DagsterInstance, moment: float, now: float, started: Callable[[], float]
    ) -> State:
        """What is known, up to a moment; of those that came while it was down, Dagster's scheduler finds the newest only."""
        state = self._state(instance, now)
        passed = [each for each in self.timetable.between(state.seen, moment, 0.0) if each < moment]
        since = started() if passed else 0.0
        self._keep(instance, {each: MISSED for each in passed if each > since}, [], now)
        if moment > state.seen:
            state = replace(state, seen=moment)
            self._write(instance, state)
        return state

    def _not_now(self, moment: float) -> str:
        """Why a moment is none of the schedule's; empty where it is one."""
        if self.timetable.start is not None and moment < self.timetable.start:
            return f"it begins at {iso(self.timetable.start)}"
        if self.timetable.until is not None and moment > self.timetable.until:
            return f"it has ended at {iso(self.timetable.until)}"
        return ""

    def _is_missed(self, moment: float, now: float) -> bool:
        """Whether a moment comes too late, and is not caught up."""
        return now - moment > LATE and (self.policy.catchup == "none" or bool(self.timetable.between(moment, now, 0.0)))

    def _keep(
        self, instance: dg.DagsterInstance, let_go: Mapping[float, str], unfinished: list[dg.DagsterRun], now: float
    ) -> None:
        """Keep moments that are let go, for those who want to be told."""
        if let_go:
            MissedMoments(self.runs.project, self.runs.job).add(instance, let_go, self.policy, unfinished, now)

    def _ask_again(
        self, instance: dg.DagsterInstance, state: State, requests: list[dg.RunRequest], now: float
    ) -> dg.SensorResult | dg.SkipReason:
        if now - state.claimed_at < CLAIMED_FOR:
            return dg.SkipReason(f"the run of {iso(state.claimed or now)} is being made")
        self._write(instance, replace(state, claimed_at=now))
        return dg.SensorResult(run_requests=requests, cursor=str(state))

    def _idle(self, state: State, unfinished: list[dg.DagsterRun], now: float) -> str:
        if state.waiting:
            return f"{iso(state.waiting[0])} waits: {in_words(unfinished)}"
        following = None if state.is_over(self.policy) else next(self.timetable.after(now, state.anchor), None)
        return f"the next is {iso(following)}" if following else f"it is over, after {state.fired} runs"

    def _requests(self, moment: float) -> list[dg.RunRequest]:
        if self.keys is None:
            return [request(moment)]
        return [request(moment, key) for key in self.keys(moment)]

    def _state(self, instance: dg.DagsterInstance, now: float) -> State:
        """What is known; where that is nothing, or of another schedule, it begins now."""
        text = instance.daemon_cursor_storage.get_cursor_values({self._key}).get(self._key)
        state = State.read(text) if text else None
        said = repr((self.timetable, self.policy.repeat))
        return state if state and state.said == said else State(said, anchor=float(math.floor(now)), seen=now)

    def _write(self, instance: dg.DagsterInstance, state: State) -> None:
        instance.daemon_cursor_storage.set_cursor_values({self._key: str(state)})

    @property
    def _key(self) -> str:
        """Name of what is known of it, and of the slot of who looks at it."""
        return f"nb_dagster/schedule/{self.runs.project}/{self.runs.job}"
