"""What a run emits while it goes. Log, progress bar, Dagster and the rest are consumers of these, and of nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nb_dagster.notebook.records import Record

if TYPE_CHECKING:
    from nb_dagster.runner.result import CellResult, NotebookResult


@dataclass(frozen=True)
class Started:
    """The kernel is up and the first cell is next.

    Attributes:
        at: seconds since the epoch.
        run_id: id of the run.
        workflow: its name.
        notebook: path of the source.
        executed_notebook: where the executed notebook is written.
        cells: how many code cells it has.
        kernel: the kernel's name.
        parameters: the values given to it.
    """

    at: float
    run_id: str
    workflow: str
    notebook: str
    executed_notebook: str
    cells: int
    kernel: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class CellStarted:
    """A cell was sent to the kernel.

    Attributes:
        at: seconds since the epoch.
        cell: its index in the executed notebook, from 0.
        number: its number among the code cells, from 1.
        first_line: its first line of code.
    """

    at: float
    cell: int
    number: int
    first_line: str


@dataclass(frozen=True)
class CellFinished:
    """A cell ended, one way or another.

    Attributes:
        at: seconds since the epoch.
        number: its number among the code cells, from 1.
        result: its index, status and duration.
    """

    at: float
    number: int
    result: CellResult


@dataclass(frozen=True)
class Stream:
    """Text a cell wrote to ``stdout`` or ``stderr``."""

    at: float
    cell: int
    name: str
    text: str


@dataclass(frozen=True)
class Display:
    """Something a cell showed: its MIME bundle.

    Attributes:
        at: seconds since the epoch.
        cell: its index in the executed notebook, from 0.
        data: the MIME bundle.
        updates: id of the display that it takes the place of; empty where it is shown anew.
    """

    at: float
    cell: int
    data: dict[str, Any] = field(repr=False)
    updates: str = ""


@dataclass(frozen=True)
class Cleared:
    """What a cell had shown until now is gone."""

    at: float
    cell: int


@dataclass(frozen=True)
class Recorded:
    """The notebook handed something out.

    Attributes:
        at: seconds since the epoch.
        cell: its index in the executed notebook, from 0.
        record: what.
        updates: id of the display that it takes the place of; empty where it is shown anew.
    """

    at: float
    cell: int
    record: Record
    updates: str = ""


@dataclass(frozen=True)
class Warned:
    """Something a person should know, which did not end the run."""

    at: float
    cell: int | None
    message: str


@dataclass(frozen=True)
class Waiting:
    """The run waits before it starts: for what, in words."""

    at: float
    message: str


@dataclass(frozen=True)
class Usage:
    """The run goes on: what it takes. Told ever more rarely, at most once a minute in the end.

    Attributes:
        at: seconds since the epoch.
        elapsed_s: seconds since the run started.
        memory: bytes of the kernel and its children now.
        peak_memory: bytes at most.
    """

    at: float
    elapsed_s: float
    memory: int
    peak_memory: int


@dataclass(frozen=True)
class Finished:
    """The run is over, its executed notebook is written. A kernel that is well may take a moment more for its exit handlers."""

    at: float
    result: NotebookResult


Event: TypeAlias = (
    Started | CellStarted | CellFinished | Stream | Display | Cleared | Recorded | Warned | Waiting | Usage | Finished
)
