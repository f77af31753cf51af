"""How a run ended, and what it handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nb_dagster.notebook.records import FileValue, Records
from nb_dagster.notebook.types import JSON

Status: TypeAlias = Literal["succeeded", "failed", "timed_out", "killed", "cancelled", "skipped"]
CellStatus: TypeAlias = Literal["succeeded", "failed", "timed_out", "killed", "cancelled", "skipped", "not_run"]


@dataclass(frozen=True)
class CellResult:
    """One code cell.

    Attributes:
        index: its position among all cells of the executed notebook, from 0.
        status: how it ended; ``skipped`` is a cell tagged ``skip-execution``, or the one that called ``nb.skip``.
        duration_s: seconds it ran.
    """

    index: int
    status: CellStatus
    duration_s: float

    def to_json(self) -> dict[str, JSON]:
        """The cell in ``--json``."""
        return {"index": self.index, "status": self.status, "duration_s": round(self.duration_s, 4)}


@dataclass(frozen=True)
class CellError:
    """The exception that ended a run.

    Attributes:
        type: the exception's class.
        message: what it says.
        cell: index of the cell in the executed notebook, from 0.
        number: its number among the code cells, from 1.
        line: line in the cell, from 1, where it is known.
        first_line: the cell's first line of code.
        traceback: the kernel's traceback, without colours and without frames of ours.
    """

    type: str
    message: str
    cell: int
    number: int
    line: int | None
    first_line: str
    traceback: str

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        return f"cell {self.number} ({self.first_line}){line}: {self.type}: {self.message}"

    def to_json(self) -> dict[str, JSON]:
        """The error in ``--json``."""
        return {
            "type": self.type,
            "message": self.message,
            "cell": self.cell,
            "line": self.line,
            "traceback": self.traceback,
        }


class NotebookFailed(Exception):
    """A run did not succeed; raised by :meth:`NotebookResult.raise_for_status`."""

    def __init__(self, result: NotebookResult) -> None:
        self.result = result
        details = f"\n\n{result.error.traceback}" if result.error else ""
        super().__init__(f"{result.notebook}: {result.status}: {result.reason}{details}")


@dataclass(frozen=True)
class NotebookResult:
    """A finished run.

    Attributes:
        status: how it ended.
        reason: why, in words; None where it simply succeeded.
        outputs: values it handed out, by name; frames and arrays are loaded when asked for.
        metrics: numbers, by name.
        figures: PNG pictures, by name.
        artifacts: paths of files, by name.
        checks: outcomes of checks, by name.
        cells: its code cells, in order.
        error: the exception, where one ended it.
        executed_notebook: path of the notebook with outputs and true states.
        parameters: the values given to it.
        duration_s: seconds from start to end, kernel included.
        is_infrastructure: whether something else than the notebook broke, such as the disk it is written to.
        peak_memory: bytes of the kernel and its children, at most, as far as it was looked at; 0 where no kernel started.
        page: address of its page, where a page server shows its store.
        commit: the commit of the source's repository, where it is in one.
        dirty: whether the source was changed since that commit; None where there is none.
    """

    status: Status
    reason: str | None
    notebook: str
    workflow: str
    run_id: str
    attempt: int
    executed_notebook: str
    parameters: dict[str, JSON]
    records: Records
    cells: list[CellResult]
    error: CellError | None
    duration_s: float
    is_infrastructure: bool = False
    peak_memory: int = 0
    page: str | None = None
    commit: str | None = None
    dirty: bool | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """Values it handed out; frames and arrays are loaded."""
        return {name: v.load() if isinstance(v, FileValue) else v for name, v in self.records.outputs.items()}

    @property
    def metrics(self) -> dict[str, float]:
        """Its metrics."""
        return self.records.metrics

    @property
    def figures(self) -> dict[str, bytes]:
        """Its figures, as PNG."""
        return self.records.figures

    @property
    def artifacts(self) -> dict[str, str]:
        """Paths of its artifacts."""
        return self.records.artifacts

    @property
    def checks(self) -> dict[str, bool]:
        """Whether each of its checks passed."""
        return {name: check.passed for name, check in self.records.checks.items()}

    @property
    def ok(self) -> bool:
        """Whether it succeeded, or skipped itself."""
        return self.status in ("succeeded", "skipped")

    def raise_for_status(self) -> None:
        """Raise where the run did not succeed.

        Raises:
            NotebookFailed: with the reason and the notebook's traceback.
        """
        if not self.ok:
            raise NotebookFailed(self)

    def to_json(self) -> dict[str, JSON]:
        """The object that ``nb-dagster run --json`` prints."""
        return {
            "status": self.status,
            "reason": self.reason,
            "run_id": self.run_id,
            "workflow": self.workflow,
            "notebook": self.notebook,
            "executed_notebook": self.executed_notebook,
            "duration_s": round(self.duration_s, 3),
            "parameters": self.parameters,
            **self.records.to_json(),
            "cells": [cell.to_json() for cell in self.cells],
            "error": self.error.to_json() if self.error else None,
        }
