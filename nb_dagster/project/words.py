"""Texts of the project file that have a form: names, crons, time zones, days."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from nb_dagster.schedules.timetable import interval_seconds


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint to the known word that is meant, with a space after it; empty where none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _check_name(name: str) -> str:
    from nb_dagster.definitions.names import dagster_name  # brings Dagster

    plain = re.sub(r"_+", "_", dagster_name(name)).strip("_")
    if dagster_name(name) != name or not name:
        raise ValueError(
            f"{name!r} is no name for Dagster: letters, digits and _ make one, such as {plain or 'report'!r}"
        )
    return name


def check_cron(cron: str) -> str:
    """The cron, if it is one.

    Raises:
        ValueError: it is none.
    """
    from dagster._utils.schedules import is_valid_cron_string

    fields = cron.split()
    if len(fields) in (6, 7):
        raise ValueError(
            f"{cron!r} has {len(fields)} fields, and a cron here has five: minute hour day month weekday. "
            f"Seconds and years have no field: where its first one is the seconds, write {' '.join(fields[1:6])!r}"
        )
    if not is_valid_cron_string(cron):
        raise ValueError(f"{cron!r} is no cron: minute hour day month weekday, such as '30 6 * * 1-5'")
    return cron


def _has_unit(given: object) -> object:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        raise ValueError(f"{given} has no unit; write {given}s where these are seconds")
    return given


def _check_interval(text: str) -> str:
    interval_seconds(text)
    return text


def _check_timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(name, zoneinfo.available_timezones())
        raise ValueError(f"{name!r} is no time zone; {hint}names are such as 'Europe/Berlin'") from None
    return name


def _check_place(pattern: str) -> str:
    protocol, mark, _ = pattern.partition("://")
    if mark:
        from upath.registry import available_implementations

        if protocol not in available_implementations(fallback=True):
            raise ValueError(f"{protocol}:// is no kind of place; there are s3://, gs://, abfs://, sftp:// and more")
    return pattern


def _as_text(moment: object) -> object:
    """A day as YAML 1.1 reads it, in the component's file, as it was written."""
    return moment.isoformat() if hasattr(moment, "isoformat") else moment


def _check_moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day; write 2026-01-31, or 2026-01-31T06:00") from None
    return text


Name: TypeAlias = Annotated[str, AfterValidator(_check_name)]
Cron: TypeAlias = Annotated[str, AfterValidator(check_cron)]
Interval: TypeAlias = Annotated[
    str, BeforeValidator(_has_unit, json_schema_input_type=str), AfterValidator(_check_interval)
]
TimeZone: TypeAlias = Annotated[str, AfterValidator(_check_timezone)]
Place: TypeAlias = Annotated[str, AfterValidator(_check_place)]
Moment: TypeAlias = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str), AfterValidator(_check_moment)]
