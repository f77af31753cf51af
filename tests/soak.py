"""Runs with random faults, each of which must end as it is known to end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import Limits, NotebookRun
from tests.notebooks import cell_statuses, run_metadata, write_notebook

FIRST = """\
import os, signal, subprocess, sys, time
print("before", flush=True)
nb.metric("seen", 1)
nb.output("pid", os.getpid())
"""
CHILDREN = """\
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
"""


@dataclass(frozen=True)
class Fault:
    """Something that happens to a run.

    Attributes:
        name: what it is called.
        cell: source of the notebook's second cell.
        statuses: how the run may end.
        limits: seconds that it may take.
        deed: what is done to the run from outside while it goes; it is given the run and its kernel's pid.
    """

    name: str
    cell: str
    statuses: frozenset[str]
    limits: Limits = field(default_factory=Limits)
    deed: Callable[[BackgroundRun, int], None] | None = None


def _kill(_: BackgroundRun, pid: int) -> None:
    psutil.Process(pid).kill()


def _cancel(run: BackgroundRun, _: int) -> None:
    run.cancel()


def _fault(name: str, cell: str, *statuses: str, limits: Limits | None = None, deed: object = None) -> Fault:
    return Fault(name, cell, frozenset(statuses), limits or Limits(), deed)  # type: ignore[arg-type]


SLEEP = "time.sleep(600)"
FAULTS = [
    _fault("none", "1", "succeeded"),
    _fault("raises", "1 / 0", "failed"),
    _fault("exits", "sys.exit(3)", "failed"),
    _fault("skips", "nb.skip('nothing new')", "skipped"),
    _fault("prints", "for i in range(3000): print('x' * 100)", "succeeded"),
    _fault("kills_itself", "os.kill(os.getpid(), signal.SIGKILL)", "killed"),
    _fault("leaves", "os._exit(7)", "killed"),
    _fault("leaves_children", CHILDREN, "succeeded"),
    _fault("takes_children_with_it", f"{CHILDREN}os.kill(os.getpid(), signal.SIGKILL)", "killed"),
    _fault("cell_timeout", SLEEP, "timed_out", limits=Limits(cell_timeout=1)),
    _fault("stalls", SLEEP, "timed_out", limits=Limits(stall_timeout=1)),
    _fault("timeout_with_children", CHILDREN + SLEEP, "timed_out", limits=Limits(cell_timeout=1)),
    _fault("is_killed", SLEEP, "killed", deed=_kill),
    _fault("is_cancelled", CHILDREN + SLEEP, "cancelled", deed=_cancel),
]


class Soak:
    """Runs of notebooks, most of them with a fault.

    Args:
        folder: takes notebooks and outputs.
        seed: of what happens to which.
        preload: modules that their kernels are forked with.
    """

    def __init__(self, folder: Path, seed: int, preload: tuple[str, ...]) -> None:
        self._folder, self._random, self._preload = folder, random.Random(seed), preload
        self._lock = threading.Lock()
        self._documents = {
            fault.name: NotebookDocument.read(
                write_notebook(folder / f"{fault.name}.ipynb", FIRST, fault.cell, "print('after')")
            )
            for fault in FAULTS
        }

    def run(self, number: int) -> NotebookResult:
        """One run, which ends as its fault says."""
        with self._lock:
            fault, pause = self._random.choice(FAULTS), self._random.uniform(0, 0.1)
        output = self._folder / f"out-{number}.ipynb"
        run = BackgroundRun(
            NotebookRun(self._documents[fault.name], output=output, limits=fault.limits, preload=self._preload)
        )
        if fault.deed is not None:
            self._do(fault.deed, run, pause)
        result = run.result()
        self._check(fault, result)
        output.unlink()
        return result

    def _do(self, deed: Callable[[BackgroundRun, int], None], run: BackgroundRun, pause: float) -> None:
        """Do it while the second cell runs."""
        pid = 0
        for event in run.events():
            record = getattr(event, "record", None)
            if record is not None and record.name == "pid":
                pid = record.value
            if type(event).__name__ == "CellStarted" and event.number == 2:  # type: ignore[union-attr]
                break
        time.sleep(pause)
        deed(run, pid)

    def _check(self, fault: Fault, result: NotebookResult) -> None:
        assert result.status in fault.statuses, (fault.name, result.status, result.reason)
        said = run_metadata(result.executed_notebook)
        assert (said["status"], said["reason"]) == (result.status, result.reason)
        statuses = cell_statuses(result.executed_notebook)
        if (
            result.status == "timed_out" and statuses[0] == "timed_out"
        ):  # with fifty at once, the first cell may take long
            return
        last = "succeeded" if result.status == "succeeded" else "not_run"
        assert statuses == ["succeeded", result.status, last], fault.name
        assert result.metrics == {"seen": 1}
