"""What is to be told of schedules: moments that were not run. They have no run, so who was told is kept beside them."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from nb_dagster.notifications.ends import End
from nb_dagster.notifications.marks import Mark, in_words
from nb_dagster.notifications.message import Message, message_of
from nb_dagster.notifications.notices import Audience
from nb_dagster.notifications.outbox import Delivery
from nb_dagster.notifications.outcomes import WORDS
from nb_dagster.schedules.missed import Missed, MissedMoments, read_missed
from nb_dagster.schedules.policy import iso

OLD = 86_400.0
"""Seconds after which nobody is told any more, and it is forgotten who was."""


@dataclass(frozen=True)
class _Told:
    """Who is told of moments, as it was decided when they were first seen, and what became of it."""

    found: float
    marks: dict[str, Mark]  # by the target's label


class MissedNews:
    """The messages about moments that were not run, and what became of them; in the history's database.

    Args:
        context: of the sensor that sends.
        name: the sensor's name.
    """

    def __init__(self, context: dg.SensorEvaluationContext, name: str) -> None:
        location = context.code_location_origin
        self._key = f"nb_dagster/missed_told/{location.location_name if location is not None else ''}/{name}"
        self._instance, self._log, self._now = context.instance, context.log, time.time()
        text = self._instance.daemon_cursor_storage.get_cursor_values({self._key}).get(self._key)
        said: dict[str, Any] = json.loads(text) if text else {"since": self._now, "told": {}}
        self._since: float = said["since"]  # the first look: of what was missed before, nobody is told
        self._told = {
            key: _Told(each["found"], {label: Mark(**mark) for label, mark in each["marks"].items()})
            for key, each in said["told"].items()
            if each["found"] > self._now - OLD
        }
        if not text:
            self._write()

    def open_deliveries(self, audience: Audience, schedules: Iterable[MissedMoments]) -> Iterator[Delivery]:
        """The messages that are neither sent nor given up.

        Args:
            audience: who is told.
            schedules: where the moments are kept.
        """
        after = max(self._since, self._now - OLD)
        for schedule, missed in read_missed(self._instance, schedules):
            if missed.found <= after:
                continue
            key, targets = f"{schedule.job}/missed/{iso(missed.first)}", audience.whom("missed", schedule.job)
            if key not in self._told:
                self._told[key] = _Told(missed.found, {target.label: Mark() for target in targets})
                self._write()
            for target in targets:
                mark = self._told[key].marks.get(target.label)
                if mark is not None and not mark.is_over:
                    write = functools.partial(_message, schedule.job, missed, key, audience.ui)
                    keep = functools.partial(self._keep, key, target.label)
                    yield Delivery(f"{key} to {target.label}", mark, target, write, keep)

    def _keep(self, key: str, label: str, mark: Mark, answer: str | Exception) -> None:
        self._told[key].marks[label] = mark
        self._write()
        if isinstance(answer, Exception):
            self._log.warning(in_words(f"{key} to {label}", mark, answer))

    def _write(self) -> None:
        said = {"since": self._since, "told": {key: asdict(each) for key, each in self._told.items()}}
        self._instance.daemon_cursor_storage.set_cursor_values({self._key: json.dumps(said)})


def _message(job: str, missed: Missed, key: str, ui: str | None) -> Message:
    when = f" at {iso(missed.first)}"
    if missed.count > 1:
        when = f" {missed.count} times, from {iso(missed.first)} to {iso(missed.last)}"
    end = End(job, "missed", f"{WORDS['missed']}{when}", missed.why)
    return message_of("missed", [end], job=job, run_id=missed.run_id, key=key, ui=ui, pages=[])
