"""Notebooks in pytest: run one with parameters, assert on what it recorded.

from nb_dagster.testing import run_notebook

def test_training_beats_chance():
    result = run_notebook("notebooks/train.ipynb", n=100)
    assert result.metrics["auc"] > 0.5
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Mapping
from typing import Any

from nb_dagster.direct import run_notebook as _run_notebook
from nb_dagster.runner.result import NotebookResult

__all__ = ["run_notebook"]


def run_notebook(
    path: str | os.PathLike[str],
    *,
    upstream: Mapping[str, Mapping[str, object]] | None = None,
    kernel: str | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    **params: Any,
) -> NotebookResult:
    """Run a notebook for a test.

    The executed notebook and its files live as long as the result does.

    Args:
        path: the notebook.
        upstream: what ``nb.upstream`` holds, by name: dicts with ``outputs``, ``metrics``, ``artifacts``, ``checks``.
        kernel: an installed kernel's name; None takes the notebook's own.
        timeout: seconds for the whole run.
        cell_timeout: seconds for each cell.
        **params: values of its parameters; DataFrames and other objects may be given too.

    Returns:
        Status, outputs, metrics, artifacts, checks and cells of a run that succeeded, or skipped itself.

    Raises:
        NotebookFailed: the notebook did not succeed; the message has its traceback.
        RunRefused: the notebook or a parameter is not as it must be.

    Example:
        >>> run_notebook("notebooks/train.ipynb", n=100).outputs["rows"]
        100
    """
    folder = tempfile.TemporaryDirectory(prefix="nb-dagster-test-")
    try:
        result = _run_notebook(
            path,
            params,
            output=os.path.join(folder.name, "executed.ipynb"),
            kernel=kernel,
            timeout=timeout,
            cell_timeout=cell_timeout,
            upstream=upstream,
        )
        result.raise_for_status()
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(result, folder.cleanup)
    return result
