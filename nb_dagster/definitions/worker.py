"""The process that a run lives in: who comes later can stop it, or tell that it is gone and the run with it."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psutil
from dagster._core.events import EngineEventData
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from nb_dagster.definitions.metadata import PATH_KEY
from nb_dagster.definitions.watching import watching
from nb_dagster.kernel.machine import machine
from nb_dagster.kernel.remote import LOST_VARIABLE

if TYPE_CHECKING:
    from nb_dagster.runner.background import BackgroundRun

WORKER_TAG = "nb_dagster/worker"
"""Tag of a run that a command started in its own process: which one."""
RUN_WORKER_VARIABLE = "NB_DAGSTER_RUN_WORKER"
"""Set in the container or pod of a step: the process of its run, as text."""
_TOLD = ("attempt", "workflow", "status", "reason", "parameters", "commit", "dirty")
"""What a recovered notebook says of its attempt that the history is to have."""
_LOOK_EVERY = 0.5  # seconds
_TOLERANCE = 2.0  # seconds by which a system tells of a process's start differently, after its clock was set


@dataclass(frozen=True)
class Worker:
    """A process, as other processes can recognise it.

    Attributes:
        machine: the machine, its start, and its space of process numbers: containers have their own.
        pid: its number.
        started: seconds since the epoch.
    """

    machine: str
    pid: int
    started: float

    @classmethod
    def of(cls, pid: int | None = None) -> Worker:
        """A living process; None is this one."""
        process = psutil.Process(pid)
        return cls(machine(), process.pid, process.create_time())

    @classmethod
    def parse(cls, text: str) -> Worker:
        """A process from its text."""
        machine, pid, started = text.rsplit(" ", 2)
        return cls(machine, int(pid), float(started))

    def __str__(self) -> str:
        return f"{self.machine} {self.pid} {self.started:.2f}"

    @property
    def is_here(self) -> bool:
        """Whether this process can see it."""
        return self.machine == machine()

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; of another machine, nobody here knows."""
        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            is_other = abs(process.create_time() - self.started) > _TOLERANCE
            return is_other or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def worker_of_step(context: dg.OpExecutionContext) -> Worker | None:
    """The process whose end is the end of a step's run; None where it cannot be told from here."""
    if said := os.environ.get(RUN_WORKER_VARIABLE):
        return Worker.parse(said)
    step = context.get_step_execution_context()
    executor = step.job_def.executor_def.name
    if executor == "multi_or_in_process_executor":
        execution: Any = context.run.run_config.get("execution") or {}
        chosen = execution.get("config") or {}
        executor = "in_process" if "in_process" in chosen else "multiprocess"
    if executor in ("in_process", "execute_in_process_executor", "notebook_executor"):
        return Worker.of()
    parent = multiprocessing.parent_process() if executor == "multiprocess" else None
    return Worker.of(parent.pid) if parent is not None else None


def tag_worker(context: dg.OpExecutionContext) -> None:
    """See that the run of a step says which process it lives in, so that others can tell when that is gone.

    The caller has the history for itself: two that add a tag to one run at once would lose one of them.
    """
    worker = worker_of_step(context)
    if worker is not None and WORKER_TAG not in context.run.tags:
        context.instance.add_run_tags(context.run_id, {WORKER_TAG: str(worker)})


@contextlib.contextmanager
def ending_with(context: dg.OpExecutionContext, text: str, run: BackgroundRun) -> Iterator[None]:
    """Tie a step that has a process, or a pod, of its own to the process of its run, which may be killed.

    Args:
        context: the step's context.
        text: the process of its run, as text; empty where it is not known.
        run: is ended, with a reason, when that is gone; the Dagster run is closed after the block.
    """
    if LOST_VARIABLE in os.environ:
        lost = Path(os.environ[LOST_VARIABLE])
        with watching(lost.exists, lambda: run.lose(lost.read_text(encoding="utf-8")), every=_LOOK_EVERY):
            yield
        return
    worker = Worker.parse(text) if text else None
    if worker is None or worker.pid == os.getpid():
        yield
        return
    words = f"the process of its run (pid {worker.pid}) is gone"
    try:
        with watching(lambda: worker.is_gone, lambda: run.cancel(words), every=_LOOK_EVERY):
            yield
    finally:
        close_if_stale(context.instance, context.run_id, worker)


def worker_of(run: dg.DagsterRun) -> Worker | None:
    """The process that a run says it lives in."""
    text = run.tags.get(WORKER_TAG)
    return Worker.parse(text) if text else None


def close_if_stale(instance: dg.DagsterInstance, run_id: str, worker: Worker | None = None) -> bool:
    """End a run in the history whose process was killed, if it is not ended yet.

    Args:
        instance: the history.
        run_id: id of the run.
        worker: the process it lives in; None takes what the run itself says.

    Returns:
        Whether the run is over.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return True
    worker = worker or worker_of(run)
    if worker is None or not worker.is_gone:
        return False
    run = instance.get_run_by_id(run_id)  # what it said last
    if run is not None and not run.is_finished:
        if run.status.value == "CANCELING":
            instance.report_run_canceled(run)
        else:
            instance.report_run_failed(run, f"killed: the process that ran it (pid {worker.pid}) is gone")
    return True


def close_stale_runs(instance: dg.DagsterInstance) -> None:
    """The same for all runs that say where they live."""
    for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)):
        if WORKER_TAG in run.tags:
            close_if_stale(instance, run.run_id)


def close_lost_runs(instance: dg.DagsterInstance, notebooks: Iterable[Any]) -> None:
    """The same for the runs that recovered notebooks are of; their logs then say where the notebooks are.

    Args:
        instance: the history.
        notebooks: paths of executed notebooks, made from the journals of killed processes.
    """
    for path in notebooks:
        said = json.loads(path.read_text(encoding="utf-8"))["metadata"]["nb_dagster"]
        run = instance.get_run_by_id(said["run_id"])
        if run is None:  # of a run without Dagster
            continue
        metadata = {PATH_KEY: str(path), **{name: said[name] for name in _TOLD if said.get(name) is not None}}
        words = f"notebook {said['workflow']}, attempt {said['attempt']}: {said['status']}: {said['reason']}"
        instance.report_engine_event(words, run, EngineEventData(metadata=metadata))
        if said.get("worker"):
            close_if_stale(instance, run.run_id, Worker.parse(said["worker"]))
