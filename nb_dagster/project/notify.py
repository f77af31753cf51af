"""Notifications of the project file: where people are, and which workflow tells whom of what."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, StrictBool

from nb_dagster.notifications.outcomes import OUTCOMES, Outcome
from nb_dagster.project.parts import Part


def _check_target(where: str) -> str:
    from nb_dagster.notifications.targets import check_plain  # brings Dagster

    check_plain(where)
    return where


def _long_names(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


Address: TypeAlias = Annotated[str, AfterValidator(_check_target)]
Names: TypeAlias = Annotated[list[str], BeforeValidator(_long_names, json_schema_input_type=str | list[str])]


class Notifications(Part):
    """Where people are told of runs."""

    targets: dict[str, Address] = {}
    """Names of targets, and where the address of each is: env:NAME, file:PATH; or an address without any secret."""
    ui: str | None = None
    """Address of Dagster's UI; messages then link the run."""


class Notified(Part):
    """Who is told of the runs of a workflow, by outcome: names of targets. Short form: who is told of failures."""

    failure: Names = []
    """Of an exception, a timeout, a killed kernel."""
    success: Names = []
    """Of a run that succeeded."""
    retry: Names = []
    """Of a failure that another attempt follows."""
    skip: Names = []
    """Of a notebook that skipped itself."""
    cancel: Names = []
    """Of a run that was cancelled."""
    missed: Names = []
    """Of a moment of its schedule that was not run: the daemon came too late, or a run from before held it up."""
    attach_page: StrictBool = False
    """Whether the page of the executed notebook goes along, where the target takes files."""

    def by_outcome(self) -> dict[Outcome, list[str]]:
        """Who is told of each outcome that anybody is told of."""
        return {each: names for each in OUTCOMES if (names := getattr(self, each))}

    def names(self) -> list[str]:
        """All targets it names."""
        return list(dict.fromkeys(name for names in self.by_outcome().values() for name in names))


def _long_notified(given: Any) -> Any:
    return {"failure": given} if isinstance(given, (str, list)) else given


NotifiedOrNames: TypeAlias = Annotated[
    Notified, BeforeValidator(_long_notified, json_schema_input_type=str | list[str] | Notified)
]
