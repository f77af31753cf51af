"""A run and its attempts, as the history has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from nb_dagster.notebook.types import JSON
from nb_dagster.runner.result import Status

RunStatus: TypeAlias = Status | Literal["not_run", "queued", "running", "cancelling"]
STATUSES: tuple[RunStatus, ...] = (*get_args(Status), "not_run", "queued", "running", "cancelling")
"""Of a run; ``not_run`` is a workflow whose step was never reached in a run that has ended."""


@dataclass(frozen=True)
class PastAttempt:
    """One attempt of a notebook, as the log of its run tells of it.

    Attributes:
        workflow: the workflow.
        step: name of its op or asset in the run; the same as the workflow, unless it was given another there.
        number: 1 for the first.
        status: how it ended.
        reason: why, in words.
        ended: when.
        duration_s: seconds it ran.
        parameters: the values given to it, and the notebook's own.
        commit: the commit of its source.
        dirty: whether the source was changed since; None where there is no commit.
        executed_notebook: where the executed notebook is: a path or a URL.
        page: address of its page, where there is one.
    """

    workflow: str
    step: str
    number: int
    status: Status
    reason: str | None
    ended: datetime
    duration_s: float
    parameters: Mapping[str, JSON]
    commit: str | None
    dirty: bool | None
    executed_notebook: str
    page: str | None

    def to_json(self) -> dict[str, JSON]:
        """The attempt in ``--json``."""
        return {
            "workflow": self.workflow,
            "step": self.step,
            "attempt": self.number,
            "status": self.status,
            "reason": self.reason,
            "ended": self.ended.isoformat(timespec="milliseconds"),
            "duration_s": round(self.duration_s, 3),
            "parameters": dict(self.parameters),
            "commit": self.commit,
            "dirty": self.dirty,
            "executed_notebook": self.executed_notebook,
            "page": self.page,
        }


@dataclass(frozen=True)
class PastRun:
    """A run, or the part of it that one workflow has in it where the history was asked for that workflow.

    Attributes:
        run_id: its id.
        job: its job; ``__ASSET_JOB`` is Dagster's own for assets that were selected by hand.
        status: how it ended, or how far it is.
        reason: why, in words.
        started: when it started; of one that has not, when it was made.
        ended: when it ended; None before.
        duration_s: seconds from start to end, or until now; of a workflow in a larger run, of its last attempt.
        parameters: the values given to its notebook; of several notebooks, by their names.
        attempts: the attempts that have ended, in order.
    """

    run_id: str
    job: str
    status: RunStatus
    reason: str | None
    started: datetime
    ended: datetime | None
    duration_s: float | None
    parameters: Mapping[str, JSON]
    attempts: Sequence[PastAttempt]

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status not in ("queued", "running", "cancelling")

    @property
    def last(self) -> PastAttempt | None:
        """The last attempt that has ended; the last that did not succeed, where one did not."""
        failed = [each for each in self.attempts if each.status == self.status]
        return next(reversed(failed or list(self.attempts)), None)

    @property
    def workflows(self) -> list[str]:
        """Names of the workflows it has run so far."""
        return list(dict.fromkeys(each.step for each in self.attempts))

    def to_json(self) -> dict[str, JSON]:
        """The run in ``--json``."""
        last = self.last
        return {
            "run_id": self.run_id,
            "job": self.job,
            "status": self.status,
            "reason": self.reason,
            "started": self.started.isoformat(timespec="milliseconds"),
            "ended": self.ended.isoformat(timespec="milliseconds") if self.ended else None,
            "duration_s": None if self.duration_s is None else round(self.duration_s, 3),
            "parameters": dict(self.parameters),
            "commit": last.commit if last else None,
            "dirty": last.dirty if last else None,
            "executed_notebook": last.executed_notebook if last else None,
            "attempts": [each.to_json() for each in self.attempts],
        }
