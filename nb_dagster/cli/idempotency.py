"""One run for one key, however often and from however many processes it is launched.

The run's id is made from the key, and the history takes an id only once: that decides between processes that launch at
the same time, and nothing is left behind by one that is killed before its run is in the history.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nb_dagster.definitions.worker import close_if_stale
from nb_dagster.runner.reading import read_result
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runs.keys import check_key, used_otherwise

if TYPE_CHECKING:
    import dagster as dg

_NAMESPACE = uuid.UUID("5f0c6d3a-2f0e-5c9b-9d4e-6e625f646167")
_LOOK_EVERY = 0.3


def run_id_of(key: str) -> str:
    """The id of the run with that key.

    Raises:
        RunRefused: the key is empty.
    """
    check_key(key)
    return str(uuid.uuid5(_NAMESPACE, key))


def await_result(
    instance: dg.DagsterInstance, key: str, *, job: str, config: Mapping[str, Any], notebook: str
) -> NotebookResult:
    """The result of the run that a key was used for before, when it has ended.

    Args:
        instance: the history.
        key: the key.
        job: name of the job that it is used for now.
        config: the ops' config now.
        notebook: path of the source.

    Raises:
        RunRefused: it was used for something else.
        RuntimeError: that run ended without a notebook.
    """
    run_id = run_id_of(key)
    while True:
        is_over = close_if_stale(instance, run_id)
        run = instance.get_run_by_id(run_id)
        if run is None:
            raise RuntimeError(f"run {run_id}, of the idempotency key {key!r}, was deleted while it was waited for")
        if run.job_name != job or (run.run_config.get("ops") or {}) != config:
            what = f"another workflow, {run.job_name}" if run.job_name != job else "other parameters"
            raise used_otherwise(key, run_id, what)
        if is_over:
            return _result(instance, run, notebook)
        time.sleep(_LOOK_EVERY)


def _result(instance: dg.DagsterInstance, run: dg.DagsterRun, notebook: str) -> NotebookResult:
    from nb_dagster.definitions.metadata import stored_notebooks

    paths = stored_notebooks(instance, run.run_id)
    if not paths:
        raise RuntimeError(f"run {run.run_id}, which this key was used for before, ended before its notebook started")
    return read_result(paths[-1], notebook)
