"""The schedules of a Dagster: which there are, when they fire next, and how they are paused and resumed."""

from __future__ import annotations

import difflib
import itertools
import json
import math
import time
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.notebook.types import JSON
from nb_dagster.runs.graphql import Dagster, refuse_error
from nb_dagster.schedules.definition import METADATA_KEY
from nb_dagster.schedules.policy import State
from nb_dagster.schedules.timetable import Timetable, in_interval

_LIST = """
query($ticks: Int!) { repositoriesOrError { __typename
  ... on PythonError { message }
  ... on RepositoryConnection { nodes { name location { name } schedules {
    name pipelineName cronSchedule executionTimezone
    scheduleState { id status } futureTicks(limit: $ticks) { results { timestamp } }
    metadataEntries { label ... on JsonMetadataEntry { jsonString } }
  } sensors {
    name targets { pipelineName }
    sensorState { id status typeSpecificData { ... on SensorData { lastCursor } } }
    metadataEntries { label ... on JsonMetadataEntry { jsonString } }
  } } }
} }
"""
_PAUSE = """
mutation($id: String!) { changed: stopRunningSchedule(id: $id) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message } ... on ScheduleNotFoundError { message }
} }
"""
_PAUSE_SENSOR = """
mutation($id: String!) { changed: stopSensor(id: $id) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message }
} }
"""
_RESUME = """
mutation($selector: ScheduleSelector!) { changed: startSchedule(scheduleSelector: $selector) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message } ... on ScheduleNotFoundError { message }
} }
"""
_RESUME_SENSOR = """
mutation($selector: SensorSelector!) { changed: startSensor(sensorSelector: $selector) { __typename
  ... on PythonError { message } ... on UnauthorizedError { message } ... on SensorNotFoundError { message }
} }
"""


@dataclass(frozen=True)
class Schedule:
    """A schedule; in Dagster it may be a sensor.

    Attributes:
        name: its name.
        job: the job it launches.
        cron: when, as cron has it; None where it is an interval.
        every: seconds of the interval.
        timezone: the time zone of that.
        is_running: whether it fires; a paused one does not.
        next: the moments at which it fires next, or would.
        state_id: Dagster's id of its state.
        selector: how Dagster finds it.
    """

    name: str
    job: str
    cron: str | None
    every: int | None
    timezone: str
    is_running: bool
    next: tuple[datetime, ...]
    state_id: str
    selector: dict[str, str]

    @property
    def rhythm(self) -> str:
        """When, in a word."""
        return self.cron or f"every {in_interval(self.every or 0)}"

    @property
    def is_sensor(self) -> bool:
        """Whether it is a sensor in Dagster."""
        return "sensorName" in self.selector

    def to_json(self) -> dict[str, JSON]:
        """The schedule in ``--json``."""
        return {
            "name": self.name,
            "job": self.job,
            "cron": self.cron,
            "every": None if self.every is None else in_interval(self.every),
            "timezone": self.timezone,
            "status": "running" if self.is_running else "paused",
            "next": [each.isoformat() for each in self.next],
        }


def all_schedules(dagster: Dagster, *, ticks: int = 1) -> list[Schedule]:
    """All schedules, by name.

    Args:
        dagster: where.
        ticks: how many of the next moments are told of each.
    """
    answer = dagster.query(_LIST, ticks=ticks)["repositoriesOrError"]
    refuse_error(dagster.name, answer)
    found: list[Schedule] = []
    for repository in answer["nodes"]:
        found += [_schedule(repository, each, ticks) for each in repository["schedules"]]
        found += [_sensor(repository, each, ticks) for each in repository["sensors"] if _said(each)]
    return sorted(found, key=lambda each: each.name)


def find_schedule(dagster: Dagster, name: str, *, ticks: int = 1) -> Schedule:
    """The schedule of that name.

    Raises:
        RunRefused: there is none, or there are several.
    """
    every = all_schedules(dagster, ticks=ticks)
    found = [each for each in every if each.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(each.selector["repositoryLocationName"] for each in found)
        raise RunRefused(f"{dagster.name} has several schedules {name!r}, in the code locations {places}")
    near = difflib.get_close_matches(name, [each.name for each in every], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f" (it has {', '.join(each.name for each in every) or 'none'})"
    raise RunRefused(f"{dagster.name} has no schedule {name!r}{hint}")


def set_running(dagster: Dagster, schedule: Schedule, *, running: bool) -> None:
    """Pause a schedule, or have it go on; nothing else of it changes.

    Raises:
        RunRefused: Dagster does not let this user.
    """
    if running:
        query = _RESUME_SENSOR if schedule.is_sensor else _RESUME
        answer = dagster.query(query, selector=schedule.selector)["changed"]
    else:
        query = _PAUSE_SENSOR if schedule.is_sensor else _PAUSE
        answer = dagster.query(query, id=schedule.state_id)["changed"]
    refuse_error(dagster.name, answer)


def _schedule(repository: dict[str, Any], said: dict[str, Any], ticks: int) -> Schedule:
    ours = _said(said)
    if ours is None:  # of somebody's own Python
        coming = [each["timestamp"] for each in said["futureTicks"]["results"]]
    else:
        coming = list(itertools.islice(_timetable(ours).after(time.time(), 0.0), ticks))
    return Schedule(
        name=said["name"],
        job=said["pipelineName"],
        cron=said["cronSchedule"],
        every=None,
        timezone=said["executionTimezone"] or "UTC",
        is_running=said["scheduleState"]["status"] == "RUNNING",
        next=tuple(map(_moment, coming)),
        state_id=said["scheduleState"]["id"],
        selector={**_place(repository), "scheduleName": said["name"]},
    )


def _sensor(repository: dict[str, Any], said: dict[str, Any], ticks: int) -> Schedule:
    """A sensor that is a schedule; its cursor says where its interval is counted from, and how often it has run."""
    ours, now = _said(said) or {}, time.time()
    cursor = said["sensorState"]["typeSpecificData"].get("lastCursor")
    state = State.read(cursor) if cursor else None
    left = math.inf if ours["repeat"] is None else ours["repeat"] - (state.fired + len(state.waiting) if state else 0)
    coming = _timetable(ours).after(now, state.anchor if state else math.floor(now))
    return Schedule(
        name=said["name"],
        job=said["targets"][0]["pipelineName"],
        cron=ours["cron"],
        every=ours["every"],
        timezone=ours["timezone"],
        is_running=said["sensorState"]["status"] == "RUNNING",
        next=tuple(_moment(each) for each in itertools.islice(coming, int(max(0, min(ticks, left))))),
        state_id=said["sensorState"]["id"],
        selector={**_place(repository), "sensorName": said["name"]},
    )


def _said(definition: dict[str, Any]) -> dict[str, Any] | None:
    """What a project says of a schedule; None where it is none of a project."""
    entries = {each["label"]: each.get("jsonString") for each in definition["metadataEntries"]}
    text = entries.get(METADATA_KEY)
    return json.loads(text) if text else None


def _timetable(said: dict[str, Any]) -> Timetable:
    return Timetable(**{each.name: said[each.name] for each in fields(Timetable)})


def _place(repository: dict[str, Any]) -> dict[str, str]:
    return {"repositoryName": repository["name"], "repositoryLocationName": repository["location"]["name"]}


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, timezone.utc)
