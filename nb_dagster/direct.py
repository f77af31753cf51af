"""Run a notebook here and now, without Dagster."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping

from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import Limits, NotebookRun
from nb_dagster.store.notebooks import NotebookStore


def run_notebook(
    path: str | os.PathLike[str],
    params: Mapping[str, object] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    kernel: str | None = None,
    cwd: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    stall_timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    upstream: Mapping[str, Mapping[str, object]] | None = None,
) -> NotebookResult:
    """Call a notebook as a function, and wait for it.

    A notebook that fails does not raise: its result says so (``result.raise_for_status()`` raises).

    Args:
        path: the notebook: ``.ipynb``, Jupytext ``py:percent`` or Markdown; local or a URL.
        params: values of its parameters; a DataFrame or any other object may be given too.
        output: path of the executed notebook; None keeps it in ``.nb_dagster/notebooks`` under the current folder.
        kernel: an installed kernel's name; None takes the notebook's own.
        cwd: working directory; None takes the notebook's folder.
        timeout: seconds for the whole run.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        environment: variables for the kernel beside those of this process.
        upstream: what ``nb.upstream`` holds, by name: dicts with ``outputs``, ``metrics``, ``artifacts``, ``checks``.

    Returns:
        Status, outputs, metrics, artifacts, cells, error, and where the executed notebook is.

    Raises:
        RunRefused: the notebook, a parameter or the kernel is not as it must be; nothing was started.

    Example:
        >>> run_notebook("notebooks/train.ipynb", {"n": 400}).metrics["auc"]
        0.93
    """
    document = NotebookDocument.read(path)
    run_id = str(uuid.uuid4())
    store = NotebookStore()
    attempt = None
    if output is None:
        store.recover()
        attempt = store.open(document.name, run_id=run_id, attempt=1, notebook=document.name)
    run = NotebookRun(
        notebook=document,
        parameters=params or {},
        output=output if attempt is None else attempt.notebook,  # type: ignore[arg-type]
        journal=None if attempt is None else attempt.journal,
        kernel=kernel,
        cwd=cwd,
        limits=Limits(timeout, cell_timeout, stall_timeout),
        environment=environment or {},
        upstream=upstream or {},
        run_id=run_id,
    )
    return BackgroundRun(run).result()
