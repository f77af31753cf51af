"""How a pipeline ended: each of its steps, and the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nb_dagster.cli.exit_codes import CANCELLED, EXIT_CODES, INFRASTRUCTURE, SUCCEEDED
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.result import NotebookResult, Status

StepStatus: TypeAlias = Status | Literal["not_run"]


@dataclass(frozen=True)
class StepResult:
    """One step.

    Attributes:
        name: the workflow.
        status: how it ended; ``not_run`` comes after one that did not succeed.
        reason: why, in words.
        after: the steps that it comes after in this run.
        result: what its notebook did in its last attempt; None where none started.
    """

    name: str
    status: StepStatus
    reason: str | None
    after: Sequence[str]
    result: NotebookResult | None = None

    @property
    def exit_code(self) -> int:
        """What the process says of it."""
        if self.status == "not_run":
            return SUCCEEDED  # of what it comes after, somebody else tells
        return INFRASTRUCTURE if self.result and self.result.is_infrastructure else EXIT_CODES[self.status]

    def to_json(self) -> dict[str, JSON]:
        """The step as ``run --json`` has a notebook."""
        said = dict(_NOTHING) if self.result is None else self.result.to_json()
        own: dict[str, JSON] = {"workflow": self.name, "after": list(self.after)}
        return {**said, **own, "status": self.status, "reason": self.reason}


@dataclass(frozen=True)
class PipelineResult:
    """A finished run of a pipeline.

    Attributes:
        name: the pipeline.
        run_id: id of the run; None where there was nothing to run.
        status: how it ended.
        reason: why, in words.
        duration_s: seconds from start to end.
        steps: its steps, each behind those that it comes after.
        is_infrastructure: whether the run failed, and none of its steps.
    """

    name: str
    run_id: str | None
    status: Status
    reason: str | None
    duration_s: float
    steps: Sequence[StepResult]
    is_infrastructure: bool = False

    @property
    def exit_code(self) -> int:
        """What the process says: the worst of its steps."""
        if self.status == "cancelled":
            return CANCELLED
        own = INFRASTRUCTURE if self.is_infrastructure else EXIT_CODES[self.status]
        return max(own, *(each.exit_code for each in self.steps))

    def to_json(self) -> dict[str, JSON]:
        """The object that ``run --pipeline --json`` prints."""
        return {
            "status": self.status,
            "reason": self.reason,
            "run_id": self.run_id,
            "pipeline": self.name,
            "duration_s": round(self.duration_s, 3),
            "steps": [each.to_json() for each in self.steps],
        }


_NOTHING: dict[str, JSON] = {
    "status": None,
    "reason": None,
    "run_id": None,
    "workflow": None,
    "notebook": None,
    "executed_notebook": None,
    "duration_s": 0.0,
    "parameters": {},
    "outputs": {},
    "metrics": {},
    "artifacts": {},
    "checks": {},
    "cells": [],
    "error": None,
}
