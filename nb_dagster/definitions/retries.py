"""Which failures are worth another attempt."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias, get_args

from nb_dagster.errors import RunRefused
from nb_dagster.runner.result import NotebookResult

FailureClass: TypeAlias = Literal["exception", "timeout", "killed", "infrastructure"]
ALL_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)


def failure_class(result: NotebookResult) -> FailureClass | None:
    """What kind of failure a run ended with; None where it is none that another attempt could mend."""
    if result.is_infrastructure:
        return "infrastructure"
    classes: dict[str, FailureClass] = {"failed": "exception", "timed_out": "timeout", "killed": "killed"}
    return classes.get(result.status)


def check_retry_on(classes: Collection[FailureClass], owner: str) -> frozenset[FailureClass]:
    """The classes as they are given.

    Raises:
        RunRefused: one of them is none.
    """
    for each in [classes] if isinstance(classes, str) else classes:
        if isinstance(classes, str) or each not in ALL_CLASSES:
            raise RunRefused(f"{owner}: retry_on is a list of {', '.join(ALL_CLASSES)}; {each!r} is none")
    return frozenset(classes)
