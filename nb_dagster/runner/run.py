"""The specification of one run; every surface and every executor uses this one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nb_dagster.kernel.compute import IN_PROCESS, Compute
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.limits import DEFAULT_LIMITS
from nb_dagster.runner.limits import Limits as Limits  # noqa: PLC0414 - a part of the specification, and known here
from nb_dagster.runner.place import Place
from nb_dagster.runner.secrets import Secrets


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
        limits: timeouts, and how much of its output is kept.
        environment: variables set for the kernel beside those of this process.
        compute: where its kernel runs, and with what; of a runtime, the image is known here.
        secrets: what ``nb.secret`` gives the notebook: names, or names and where they are.
        run_id: id of the run it belongs to.
        workflow: name it runs under; empty takes the file's name.
        attempt: 1 for the first.
        worker: the process whose end is the end of the run, as text; for who finds what is left of it.
        context: partition key, window, commit and the like, for ``nb.context`` and context parameters.
        upstream: what earlier notebooks recorded, by name, for ``nb.upstream``.
    """

    notebook: NotebookDocument | str | os.PathLike[str]
    parameters: Mapping[str, object] = field(default_factory=dict)
    output: str | os.PathLike[str] | Place = ""
    kernel: str | None = None
    preload: Sequence[str] | None = None
    cwd: str | os.PathLike[str] | None = None
    limits: Limits = DEFAULT_LIMITS
    environment: Mapping[str, str] = field(default_factory=dict)
    compute: Compute = IN_PROCESS
    secrets: Secrets = ()
    run_id: str = ""
    workflow: str = ""
    attempt: int = 1
    worker: str = ""
    context: Mapping[str, JSON] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
