"""Stopping a run, wherever it was started."""

from __future__ import annotations

import os
import signal

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from nb_dagster.definitions.worker import close_if_stale, worker_of
from nb_dagster.errors import RunRefused


def stop_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tell a run that has not ended to end; it does so soon after.

    Raises:
        RunRefused: nobody here can reach it.
    """
    worker = worker_of(run)
    if GRPC_INFO_TAG in run.tags or (worker is None and run.status.value in ("QUEUED", "NOT_STARTED")):
        if not close_if_stale(instance, run.run_id):
            _stop_launched(instance, run)
    elif worker is None:
        raise RunRefused(f"run {run.run_id} lives in a process that Dagster did not launch; end that process")
    elif not worker.is_here:
        raise RunRefused(f"run {run.run_id} lives on {worker.machine.split(' ')[0]}; cancel it there")
    elif not close_if_stale(instance, run.run_id):
        os.kill(worker.pid, signal.SIGINT)


def _stop_launched(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    coordinator = instance.run_coordinator
    try:
        reached = coordinator is not None and coordinator.cancel_run(run.run_id)
    except Exception as error:  # whatever a launcher's back end raises
        raise RunRefused(f"run {run.run_id} cannot be reached ({type(error).__name__}: {error})") from None
    if not reached:
        raise RunRefused(f"run {run.run_id} cannot be reached: the code server that launched it does not answer")
