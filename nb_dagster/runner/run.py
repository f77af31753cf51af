"""The specification of one run; every surface and every executor uses this one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.place import Place
from nb_dagster.runner.secrets import Secrets

MAX_CELL_OUTPUT = 20_000_000
MAX_OUTPUT = 100_000_000


@dataclass(frozen=True)
class Limits:
    """What a run may take; None is no limit.

    Attributes:
        timeout: seconds for the whole run, after which it is stopped.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        max_cell_output: characters that one cell may show; the rest is left out, and a mark says so.
        max_output: characters that all cells together may show.
    """

    timeout: float | None = None
    cell_timeout: float | None = None
    stall_timeout: float | None = None
    max_cell_output: int | None = MAX_CELL_OUTPUT
    max_output: int | None = MAX_OUTPUT

    def __post_init__(self) -> None:
        for name in ("timeout", "cell_timeout", "stall_timeout"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and value > 0):
                raise ValueError(f"{name} is a number of seconds above 0, not {value!r}")
        for name in ("max_cell_output", "max_output"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise ValueError(f"{name} is a number of characters, not {value!r}")


@dataclass(frozen=True)
class NotebookRun:
    """One call of a notebook.

    Attributes:
        notebook: the document, or the path of its file.
        parameters: values by name: JSON, or for a parameter of no declared type any object, such as a DataFrame.
        output: local path of the executed notebook, or a place that decides it when the run starts;
            ``<stem>.files/`` beside it takes artifacts.
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked; None takes those of numpy, pandas and matplotlib that it
            imports.
        cwd: working directory; None takes the notebook's folder.
        limits: timeouts.
        environment: variables set for the kernel beside those of this process.
        secrets: what ``nb.secret`` gives the notebook: names, or names and where they are.
        run_id: id of the run it belongs to.
        workflow: name it runs under; empty takes the file's name.
        attempt: 1 for the first.
        context: partition key, window, commit and the like, for ``nb.context`` and context parameters.
        upstream: what earlier notebooks recorded, by name, for ``nb.upstream``.
    """

    notebook: NotebookDocument | str | os.PathLike[str]
    parameters: Mapping[str, object] = field(default_factory=dict)
    output: str | os.PathLike[str] | Place = ""
    kernel: str | None = None
    preload: Sequence[str] | None = None
    cwd: str | os.PathLike[str] | None = None
    limits: Limits = Limits()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = ()
    run_id: str = ""
    workflow: str = ""
    attempt: int = 1
    context: Mapping[str, JSON] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
