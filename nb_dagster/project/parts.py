"""Parts of a workflow in the project file, each with its short form."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
    StrictBool,
    StrictInt,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nb_dagster.definitions.retries import ALL_CLASSES, FailureClass
from nb_dagster.kernel.environment import check_environment
from nb_dagster.notebook.types import describe
from nb_dagster.project.words import Cron, Interval, Moment, TimeZone
from nb_dagster.schedules.policy import Catchup, Overlap
from nb_dagster.schedules.timetable import seconds_of

Number: TypeAlias = Annotated[float, Strict()]
EnvironmentName: TypeAlias = Annotated[str, AfterValidator(lambda given: ":".join(check_environment(given)))]
Seconds: TypeAlias = Annotated[float, Strict(), Field(gt=0)]
Filling: TypeAlias = Literal["key", "start", "end"]


class Part(BaseModel):
    """A mapping of the project file; its keys are these and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave out that a key may be null: what is wrong in its value could then not be told apart."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for each in schema["properties"].values():
            choices = [choice for choice in each.get("anyOf", ()) if choice != {"type": "null"}]
            if len(choices) == 1:
                del each["anyOf"]
                each.update(choices[0])
            elif choices:
                each["anyOf"] = choices
            if each.get("default") is None or isinstance(each["default"], dict):  # says nothing to a reader
                each.pop("default", None)
        return schema


class Schedule(Part):
    """When a workflow runs by itself. Short form: the cron, or the interval."""

    cron: Cron | None = None
    """Five fields: minute, hour, day, month, weekday."""
    every: Interval | None = None
    """An interval instead of a cron, such as 90s, 45m, 36h or 2d."""
    timezone: TimeZone = "UTC"
    """The time zone of the cron, such as Europe/Berlin, and of start and until."""
    start: Moment | None = None
    """The first moment there can be; an interval is counted from it."""
    until: Moment | None = None
    """The last moment there can be."""
    repeat: Annotated[StrictInt, Field(gt=0)] | None = None
    """How many runs it makes in all."""
    overlap: Overlap = "skip"
    """What becomes of a moment at which a run from before has not ended: it is skipped, waits, or cancels that run."""
    catchup: Catchup = "last"
    """Which of the moments run that were missed while the daemon was down."""
    enabled: StrictBool = True
    """Whether it is on from the start; Dagster's UI turns it off and on too, and goes first."""

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> Schedule:
        if (self.cron is None) == (self.every is None):
            raise ValueError("a schedule has cron:, such as '30 6 * * 1-5', or every:, such as 90s; one of both")
        start, until = seconds_of(self.start, self.timezone), seconds_of(self.until, self.timezone)
        if start is not None and until is not None and until < start:
            raise ValueError(f"until ({self.until}) is before start ({self.start}), so it would never run")
        if self.overlap == "cancel" and self.catchup == "all":
            raise ValueError(
                "with overlap: cancel each moment that is caught up would cancel the one before; say queue"
            )
        return self


class Retries(Part):
    """What becomes of a failed attempt. Short form: the count."""

    count: Annotated[StrictInt, Field(ge=0)]
    """How many more attempts there are."""
    delay: Annotated[Number, Field(ge=0)] | None = None
    """Seconds before the next attempt."""
    backoff: Literal["linear", "exponential"] | None = None
    """How the delay grows."""
    jitter: Literal["full", "plus_minus"] | None = None
    """How the delay varies by chance: between nothing and itself, or to both sides."""
    on: list[FailureClass] = list(ALL_CLASSES)
    """The failures that are retried."""

    @model_validator(mode="after")
    def _has_a_delay(self) -> Retries:
        if self.delay is None and (self.backoff or self.jitter):
            raise ValueError("backoff and jitter change the delay; say delay: too")
        return self


class Partitions(Part):
    """What a workflow is divided into: times, or values."""

    every: Literal["hourly", "daily", "weekly", "monthly"] | None = None
    """How long a partition is."""
    start: Moment | None = None
    """When the first one begins, such as 2026-01-01."""
    end: Moment | None = None
    """When the last one ends; without it they go on."""
    timezone: TimeZone = "UTC"
    """The time zone in which days begin."""
    values: Annotated[list[str], Field(min_length=1)] | None = None
    """The partitions by name, where they are no times."""
    fills: dict[str, Filling] = {}
    """The parameters that a run's partition fills: with its key, the start of its time, or the end."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Partitions:
        if (self.every is None) == (self.values is None):
            raise ValueError(
                "partitions have every: (hourly, daily, weekly or monthly), or values: (a list); one of both"
            )
        if self.every and self.start is None:
            raise ValueError("partitions in time have a start:, such as 2026-01-01")
        if self.values and (self.start or self.end or {*self.fills.values()} - {"key"}):
            raise ValueError("partitions by values have no start and no end")
        return self


class Environment(Part):
    """What a kernel finds around it. Short forms: the name of an existing environment, or variables."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: EnvironmentName | None = None
    """The existing environment that it runs in."""
    variables: dict[str, str] = {}
    """Variables for it."""

    def __or__(self, nearer: Environment) -> Environment:
        """What two places say of it, the second one first."""
        return Environment(name=nearer.name or self.name, variables=self.variables | nearer.variables)


class Upstream(Part):
    """What a workflow takes of one that comes before it. Short forms: a parameter, or outputs with parameters."""

    value: str | None = None
    """The parameter that its value fills."""
    outputs: dict[str, str] = {}
    """The parameters that its outputs fill, by output."""


class Executor(Part):
    """How the notebooks of one run are run."""

    max_concurrent: Annotated[StrictInt, Field(gt=0)] | None = None
    """How many at once; by default as many as there are CPUs."""


def _long_schedule(given: Any) -> Any:
    if isinstance(given, int):
        return {"every": given}  # which says that it has no unit
    if not isinstance(given, str):
        return given
    return {"every" if re.fullmatch(r"[0-9.]+\s*[a-zA-Z]*", given.strip()) else "cron": given}


def _long_retries(given: Any) -> Any:
    if isinstance(given, int) and not isinstance(given, bool):
        return {"count": given}
    if isinstance(given, dict):  # in the component's file the word `on` is YAML 1.1's true
        return {("on" if key is True else key): value for key, value in given.items()}
    return given


def _long_environment(given: Any) -> Any:
    if isinstance(given, Environment):
        return given
    return {"name": given} if isinstance(given, str) else {"variables": given}


def _long_upstream(given: Any) -> Any:
    if given is None:
        return {}
    if isinstance(given, str):
        return {"value": given}
    if isinstance(given, dict):
        return {"outputs": given}
    if isinstance(given, Upstream):
        return given
    raise ValueError(f"expected a parameter, or outputs with the parameters that they fill; found {describe(given)}")


def _long_after(given: Any) -> Any:
    if isinstance(given, str):
        return {given: None}
    return {str(each): None for each in given} if isinstance(given, list) else given


def _long_sweep(given: Any) -> Any:
    """A grid as the list of its points."""
    if not isinstance(given, dict):
        return given
    points: list[dict[str, Any]] = [{}]
    for name, values in given.items():
        if not isinstance(values, list):
            raise ValueError(f"expected a list of values of {name!r}, found {describe(values)}")
        if len(points) * len(values) > MAX_ITEMS:
            raise ValueError(f"a grid of more than {MAX_ITEMS:,} items")
        points = [{**point, name: value} for point in points for value in values]
    return points


MAX_ITEMS = 1_000
"""How many workflows one sweep may make."""
_After: TypeAlias = Annotated[
    Upstream, BeforeValidator(_long_upstream, json_schema_input_type=str | dict[str, str] | None)
]
ScheduleOrCron: TypeAlias = Annotated[Schedule, BeforeValidator(_long_schedule, json_schema_input_type=str | Schedule)]
RetriesOrCount: TypeAlias = Annotated[Retries, BeforeValidator(_long_retries, json_schema_input_type=int | Retries)]
EnvironmentOrVariables: TypeAlias = Annotated[
    Environment, BeforeValidator(_long_environment, json_schema_input_type=str | dict[str, str])
]
After: TypeAlias = Annotated[
    dict[str, _After], BeforeValidator(_long_after, json_schema_input_type=str | list[str] | dict[str, _After])
]
Sweep: TypeAlias = Annotated[
    list[Annotated[dict[str, Any], Field(min_length=1)]],
    Field(min_length=1, max_length=MAX_ITEMS),
    BeforeValidator(_long_sweep, json_schema_input_type=dict[str, list[Any]] | list[dict[str, Any]]),
]
