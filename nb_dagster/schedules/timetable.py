"""The moments of a schedule: those of a cron, or of an interval."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

SHORTEST: Final = 5
"""Seconds of the shortest interval: Dagster's daemon looks at its sensors every five seconds."""
AT_MOST: Final = 1_000
"""How many moments of the past are looked at; of more, the newest."""
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def interval_seconds(text: str) -> int:
    """The seconds of an interval.

    Raises:
        ValueError: it is none, or too short.

    Example:
        >>> interval_seconds("45m")
        2700
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if found is None:
        raise ValueError(
            f"{text!r} is no interval: a whole number with s, m, h or d makes one, such as 90s, 45m or 36h"
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds < SHORTEST:
        raise ValueError(f"{text!r} is too short: Dagster's daemon looks every {SHORTEST} s, so that is the least")
    return seconds


def in_interval(seconds: int) -> str:
    """Seconds as people write them, the other way round."""
    unit = max((each for each in _SECONDS if seconds % _SECONDS[each] == 0), key=_SECONDS.__getitem__)
    return f"{seconds // _SECONDS[unit]}{unit}"


def seconds_of(text: str | None, timezone: str) -> float | None:
    """A moment of the project file in seconds since the epoch; one that names no offset is in the time zone."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).timestamp()


@dataclass(frozen=True)
class Timetable:
    """The moments of a schedule, in seconds since the epoch.

    An interval lies on a grid: whole intervals after ``start``, which is one of its moments, or after an anchor, which is
    none. So whoever computes it, and whenever, finds the same moments.

    Attributes:
        cron: a cron of five fields; None where there is an interval.
        every: seconds of the interval.
        timezone: the time zone of the cron.
        start: the first moment there can be.
        until: the last one.
    """

    cron: str | None = None
    every: int | None = None
    timezone: str = "UTC"
    start: float | None = None
    until: float | None = None

    def after(self, moment: float, anchor: float) -> Iterator[float]:
        """The moments later than that one, the nearest first."""
        last = math.inf if self.until is None else self.until
        return itertools.takewhile(lambda each: each <= last, self._forward(moment, anchor))

    def between(self, after: float, now: float, anchor: float) -> list[float]:
        """The moments later than the one and not later than the other, oldest first; of many, the newest."""
        newest = itertools.takewhile(lambda each: each > after, self._backward(now, anchor))
        return list(itertools.islice(newest, AT_MOST))[::-1]

    def _forward(self, moment: float, anchor: float) -> Iterator[float]:
        if self.every is not None:
            base, first = self._grid(anchor)
            number = max(first, math.floor((moment - base) / self.every) + 1)
            return (base + each * self.every for each in itertools.count(number))
        from dagster._utils.schedules import schedule_execution_time_iterator

        begin = moment if self.start is None else max(moment, self.start)
        found = schedule_execution_time_iterator(begin, str(self.cron), self.timezone)
        return (each for each in (when.timestamp() for when in found) if each > moment)

    def _backward(self, now: float, anchor: float) -> Iterator[float]:
        now = now if self.until is None else min(now, self.until)
        if self.every is not None:
            base, first = self._grid(anchor)
            number = math.floor((now - base) / self.every)
            return (base + each * self.every for each in range(number, first - 1, -1))
        from dagster._utils.schedules import schedule_execution_time_iterator

        begin = -math.inf if self.start is None else self.start
        found = schedule_execution_time_iterator(now, str(self.cron), self.timezone, ascending=False)
        return itertools.takewhile(lambda each: each >= begin, (when.timestamp() for when in found))

    def _grid(self, anchor: float) -> tuple[float, int]:
        """Where the grid begins, and the number of its first moment."""
        return (anchor, 1) if self.start is None else (self.start, 0)
