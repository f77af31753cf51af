"""Who was told of what, or could not be: marks in the log of the run itself, which outlive daemons and cursors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import dagster as dg
from dagster._core.events import EngineEventData
from dagster_shared.error import SerializableErrorInfo

from nb_dagster.notifications.ends import RunLog
from nb_dagster.notifications.message import NotDelivered

KEY, STATE = "notification", "notification_state"
MAX_TRIES = 5
FIRST_WAIT = 30.0
"""Seconds after the first try that failed; each further wait is four times as long: they are 42 minutes together."""


@dataclass(frozen=True)
class Mark:
    """What became of a message to a target so far.

    Attributes:
        is_over: whether it was taken, or given up.
        tries: how often it was tried in vain.
        last: when, in seconds since the epoch.
    """

    is_over: bool = False
    tries: int = 0
    last: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is to be tried now."""
        return not self.is_over and (not self.tries or time.time() >= self.last + _wait(self.tries))

    @property
    def outlook(self) -> str:
        """What follows the last try, in words."""
        if self.is_over:
            return f"given up after {self.tries} tries"
        return f"try {self.tries} of {MAX_TRIES}, the next in {_wait(self.tries):.0f} s or more"

    def after(self, answer: str | Exception) -> Mark:
        """The mark after another try, with what came of it: a note, or why it was in vain."""
        if not isinstance(answer, Exception):
            return replace(self, is_over=True, last=time.time())
        return Mark(self.tries + 1 >= MAX_TRIES, self.tries + 1, time.time())


def in_words(key: str, mark: Mark, answer: str | Exception) -> str:
    """What became of a message, for a log.

    Args:
        key: the message's key.
        mark: its mark after that.
        answer: a note, or why it was not taken.
    """
    if isinstance(answer, Exception):
        return f"notification not sent: {key}: {answer} ({mark.outlook})"
    return f"notification sent: {key}{answer and f' ({answer})'}"


def marks_of(log: RunLog) -> Mapping[str, Mark]:
    """The marks in a run's log, by the key of the message."""
    found: dict[str, Mark] = {}
    for entry in log.entries:
        event = entry.dagster_event
        if event is None or event.event_type != dg.DagsterEventType.ENGINE_EVENT:
            continue
        metadata = event.engine_event_data.metadata
        if KEY in metadata and STATE in metadata:
            key, state = str(metadata[KEY].value), metadata[STATE].value
            found[key] = Mark(state != "tried", found.get(key, Mark()).tries + (state == "tried"), entry.timestamp)
    return found


def write_mark(instance: dg.DagsterInstance, run: dg.DagsterRun, key: str, mark: Mark, answer: str | Exception) -> None:
    """Write into a run's log what became of a message.

    Args:
        instance: the history.
        run: the run.
        key: the message's key.
        mark: its mark after that.
        answer: a note; or a :class:`NotDelivered`, or what is wrong with the target itself.
    """
    is_failed = isinstance(answer, Exception)
    state = "sent" if not is_failed else "given up" if mark.is_over else "tried"
    error = SerializableErrorInfo(str(answer), [], NotDelivered.__name__) if state == "given up" else None
    metadata = {KEY: dg.MetadataValue.text(key), STATE: dg.MetadataValue.text(state)}
    instance.report_engine_event(in_words(key, mark, answer), run, EngineEventData(metadata=metadata, error=error))


def _wait(tries: int) -> float:
    return FIRST_WAIT * 4.0 ** (tries - 1)
