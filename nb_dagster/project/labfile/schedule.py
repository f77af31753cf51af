"""``schedule:`` of the old files: a cron, or an interval with a count and a delay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.lines import Became, Line, Row, dropped, lines_of
from nb_dagster.project.words import check_cron
from nb_dagster.schedules.timetable import interval_seconds

CRON, EVERY, REPEAT, ENABLED = "cron", "every", "repeat", "enabled"
"""The project file's words."""
_OVERLAP = "runs could go on beside each other; here a moment is skipped while one goes on, or waits: overlap: queue"
_INTERVAL = re.compile(r"([1-9][0-9]*)([smhd]?)\Z")


def convert_schedule(said: Mapping[Any, Any], key: Key, made: Any) -> Iterator[Line]:
    """The schedule of a workflow or pipeline that is being made."""
    schedule: dict[str, Any] = {}
    found = list(lines_of(said, key, schedule, {**_ROWS, **_without_meaning(said)}))
    if not {CRON, EVERY} & schedule.keys():
        yield from (
            replace(each, became="", advice="nothing says when it fires; write a schedule") if each.became else each
            for each in found
        )
        return
    made.said["schedule"] = schedule[CRON] if [*schedule] == [CRON] else schedule
    yield from (replace(each, became=each.became and f"{made.place}.{each.became}") for each in found)
    yield Line(key, None, advice=_OVERLAP)


def _without_meaning(said: Mapping[Any, Any]) -> dict[str, Row]:
    """The keys that meant nothing beside the others."""
    if said.get("cron"):
        beside = dropped("LabFunctions did not look at it where there was a cron; nothing to do", unless=0)
        return {"interval": beside, "start_in_min": beside}
    return {}


def _cron(value: Any, schedule: dict[str, Any]) -> Became:
    fields, advice = str(value).split(), ""
    if len(fields) == 6:
        advice = f"the sixth field of the old crons was the year ({fields[5]}), and here it has none; it is left out"
        fields = fields[:5]
    try:
        schedule[CRON] = check_cron(" ".join(fields))
    except ValueError as error:
        return Became(advice=f"{error}; write a schedule of your own")
    return Became(f"schedule.{CRON}", advice)


def _interval(value: Any, schedule: dict[str, Any]) -> Became:
    match = None if isinstance(value, bool) else _INTERVAL.match(str(value).strip())
    if match is None:
        return Became(advice="an interval is a number of seconds, or such as 5m, 1h, 1d; write a schedule of your own")
    every = match[1] + (match[2] or "s")
    try:
        interval_seconds(every)
    except ValueError as error:
        return Became(advice=f"{error}; write a schedule of your own")
    schedule[EVERY] = every
    return Became(f"schedule.{EVERY}")


def _repeat(value: Any, schedule: dict[str, Any]) -> Became:
    if isinstance(value, bool) or not re.fullmatch("[1-9][0-9]*", str(value)):
        return Became(advice="it is no number of runs from 1; write repeat: in the schedule")
    schedule[REPEAT] = int(value)
    return Became(f"schedule.{REPEAT}")


def _enabled(value: Any, schedule: dict[str, Any]) -> Became:
    if value is False:
        schedule[ENABLED] = False
        return Became(f"schedule.{ENABLED}")
    return Became()


_ROWS: dict[str, Row] = {
    "cron": _cron,
    "interval": _interval,
    "repeat": _repeat,
    "enabled": _enabled,
    "alias": lambda _value, _schedule: Became(),
    "start_in_min": dropped(
        "its minutes counted from the moment that the file was pushed, and here nothing is pushed; "
        "where it matters, write start: with a date and time in the schedule",
        unless=0,
    ),
}
