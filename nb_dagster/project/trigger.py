"""Triggers of the project file: what starts a workflow, beside the clock."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, model_validator

from nb_dagster.project.parts import Part
from nb_dagster.project.words import Cron, Place, TimeZone

Automation: TypeAlias = Literal["eager", "on_missing", "on_cron"]


class Trigger(Part):
    """What starts a workflow, beside the clock: files, upstreams, or a word of automation. Short form: the word."""

    files: Place | None = None
    """Files that arrive, one run for each: a pattern such as incoming/*.csv, seen from this file, or a URL of one."""
    fills: str | None = None
    """The parameter that a file's path fills."""
    settle: Annotated[StrictInt, Field(gt=0)] = 30
    """Seconds between two looks at the files; one that is the same in both is taken."""
    at_most: Annotated[StrictInt, Field(gt=0)] = 20
    """How many runs one look starts; the other files wait for the next."""
    upstream: Annotated[list[str], Field(min_length=1)] | None = None
    """Names from after; an update of one of them starts it."""
    automation: Automation | None = None
    """Dagster's automation: eager, on_missing or on_cron."""
    cron: Cron | None = None
    """The cron of on_cron; it waits until all upstreams are updated since."""
    timezone: TimeZone = "UTC"
    """The time zone of the cron."""
    enabled: StrictBool = True
    """Whether it is on."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Trigger:
        if sum(each is not None for each in (self.files, self.upstream, self.automation)) != 1:
            raise ValueError(
                "a trigger has files: (a pattern such as incoming/*.csv), upstream: (names from after) or "
                "automation: (eager, on_missing, on_cron); one of them"
            )
        if self.files is None and (alone := {"fills", "settle", "at_most"} & self.model_fields_set):
            raise ValueError(f"{min(alone)} is of files that arrive; say files: too")
        if (self.automation == "on_cron") != (self.cron is not None):
            raise ValueError("automation: on_cron and cron: go together, such as cron: '0 6 * * *'")
        return self


def _long_trigger(given: Any) -> Any:
    return {"automation": given} if isinstance(given, str) else given


TriggerOrWord: TypeAlias = Annotated[
    Trigger, BeforeValidator(_long_trigger, json_schema_input_type=Automation | Trigger)
]
