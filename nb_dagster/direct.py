"""Run a notebook here and now, without Dagster."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from nb_dagster.kernel.compute import IN_PROCESS, Compute
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.events import Event
from nb_dagster.runner.execution import Execution
from nb_dagster.runner.limits import DEFAULT_OUTPUT, Limits, OutputLimits
from nb_dagster.runner.prepared import prepare
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun
from nb_dagster.runner.secrets import Secrets
from nb_dagster.store.notebooks import NotebookStore


def run_notebook(
    path: str | os.PathLike[str],
    params: Mapping[str, object] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    kernel: str | None = None,
    preload: Sequence[str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    stall_timeout: float | None = None,
    output_limits: OutputLimits = DEFAULT_OUTPUT,
    environment: Mapping[str, str] | None = None,
    secrets: Secrets = (),
    compute: Compute = IN_PROCESS,
    upstream: Mapping[str, Mapping[str, object]] | None = None,
) -> NotebookResult:
    """Call a notebook as a function, and wait for it.

    A notebook that fails does not raise: its result says so (``result.raise_for_status()`` raises).

    Args:
        path: the notebook: ``.ipynb``, Jupytext ``py:percent`` or Markdown; local or a URL.
        params: values of its parameters; a DataFrame or any other object may be given too.
        output: path of the executed notebook; None keeps it in ``.nb_dagster/notebooks`` under the current folder.
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked; None takes those of numpy, pandas and matplotlib that it
            imports.
        cwd: working directory; None takes the notebook's folder.
        timeout: seconds for the whole run.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        output_limits: how much of what it shows and hands out is kept; the rest is left out, with a mark.
        environment: variables for the kernel beside those of this process.
        secrets: what ``nb.secret`` gives the notebook: names of environment variables, or names and where they are
            (``env:NAME``, ``file:PATH``).
        compute: where its kernel runs, and with what: in a process here, or in a container.
        upstream: what ``nb.upstream`` holds, by name: dicts with ``outputs``, ``metrics``, ``artifacts``, ``checks``.

    Returns:
        Status, outputs, metrics, artifacts, cells, error, and where the executed notebook is.

    Raises:
        RunRefused: the notebook, a parameter or the kernel is not as it must be; nothing was started.

    Example:
        >>> run_notebook("notebooks/train.ipynb", {"n": 400}).metrics["auc"]
        0.93
    """
    run = NotebookRun(
        notebook=path,
        parameters=params or {},
        output=output or "",
        kernel=kernel,
        preload=preload,
        cwd=cwd,
        limits=Limits(timeout, cell_timeout, stall_timeout, output_limits),
        environment=environment or {},
        secrets=secrets,
        compute=compute,
        upstream=upstream or {},
    )
    return BackgroundRun(_with_output(run)).result()


async def stream_notebook(run: NotebookRun) -> AsyncGenerator[Event, None]:
    """Run a notebook, and yield its events as they happen; the last one is ``Finished``, with the result.

    Leaving the loop early cancels the run: its kernel is stopped, its partial notebook kept.

    Args:
        run: what to run; without an output it is kept in ``.nb_dagster/notebooks`` under the current folder.

    Raises:
        RunRefused: before anything was started.

    Example:
        >>> async for event in stream_notebook(NotebookRun("train.ipynb", {"n": 400})):
        ...     print(event)
    """
    execution = Execution(prepare(_with_output(run)))
    async with aclosing(execution.stream()) as stream:
        async for event in stream:
            yield event


def _with_output(run: NotebookRun) -> NotebookRun:
    """The run with a place in the default store, where it names none."""
    if run.output:
        return run
    document = run.notebook if isinstance(run.notebook, NotebookDocument) else NotebookDocument.read(run.notebook)
    run_id, workflow = run.run_id or str(uuid.uuid4()), run.workflow or document.name
    store = NotebookStore()
    store.recover()
    place = store.place(workflow, run_id=run_id, attempt=run.attempt, notebook=document.name)
    return replace(run, notebook=document, run_id=run_id, workflow=workflow, output=place)
