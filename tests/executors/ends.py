"""Every way a notebook ends, as notebooks and as jobs for each executor."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

import nb_dagster as nbd
from tests.notebooks import write_notebook

FOLDER = Path(os.environ.get("NB_DAGSTER_TEST_NOTEBOOKS", "."))
COMPUTE = json.loads(os.environ.get("NB_DAGSTER_TEST_COMPUTE", "null"))
_FIRST = """\
import json, os, pathlib, shutil, signal, subprocess, sys, time
print("before")
nb.metric("seen", 1)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
with open(pathlib.Path(r"{folder}") / "{name}.pids", "a") as pids:
    print(os.getpid(), *(child.pid for child in children), file=pids)
"""


@dataclass(frozen=True)
class End:
    """One way to end.

    Attributes:
        name: of the notebook.
        cell: source of the cell that the run ends with.
        status: of the run.
        cells: of its three cells.
        reason: how the reason begins.
        limits: of the run, in seconds.
    """

    name: str
    cell: str
    status: str
    cells: tuple[str, str, str]
    reason: str
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the step succeeds."""
        return self.status in ("succeeded", "skipped")


def _end(name: str, cell: str, status: str, reason: str, **limits: float) -> End:
    return End(name, cell, status, ("succeeded", status, "not_run"), reason, limits)


ENDS = [
    End("runs_through", "1", "succeeded", ("succeeded", "succeeded", "succeeded"), ""),
    _end("raises", "raise KeyError('k')", "failed", "cell 2 (raise KeyError('k')), line 1: KeyError: 'k'"),
    _end("exits_0", "sys.exit(0)", "succeeded", "ended early by sys.exit(0) in cell 2"),
    _end("exits_3", "sys.exit(3)", "failed", "sys.exit(3) in cell 2"),
    _end("skips", "nb.skip('nothing new')", "skipped", "nothing new"),
    _end("cell_timeout", "time.sleep(600)", "timed_out", "the cell timeout of 2 s was over", cell_timeout=2),
    _end("run_timeout", "time.sleep(600)", "timed_out", "the run timeout of 15 s was over", timeout=15),
    _end("stalls", "time.sleep(600)", "timed_out", "the stall timeout of 2 s was over without", stall_timeout=2),
    _end(
        "ignores_interrupts",
        "while True:\n    try: time.sleep(600)\n    except KeyboardInterrupt: pass",
        "timed_out",
        "the cell timeout of 2 s was over",
        cell_timeout=2,
    ),
    _end("is_killed", "os.kill(os.getpid(), signal.SIGKILL)", "killed", "the kernel was killed by SIGKILL"),
    _end("is_aborted", "os.kill(os.getpid(), signal.SIGABRT)", "killed", "the kernel was killed by SIGABRT"),
    End(
        "loses_its_place",
        "place = pathlib.Path(json.loads(pathlib.Path(os.environ[nb.CONTEXT_VARIABLE]).read_text())['files']).parent\n"
        "shutil.rmtree(place)\nplace.touch()",
        "failed",
        ("succeeded", "succeeded", "succeeded"),
        "the executed notebook cannot be written to ",
    ),
    _end("leaves", "os._exit(7)", "killed", "the kernel exited by itself with code 7"),
]


def write_all(folder: Path) -> None:
    """Write the notebooks."""
    for end in ENDS:
        first = _FIRST.format(folder=folder, name=end.name)
        write_notebook(folder / f"{end.name}.ipynb", first, end.cell, "print('never')")


def _job(name: str, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    ops = [nbd.notebook_op(FOLDER / f"{end.name}.ipynb", name=end.name, compute=COMPUTE, **end.limits) for end in ENDS]  # type: ignore[arg-type]
    return nbd.notebook_job(name, ops, executor_def=executor, resource_defs=nbd.resources(str(FOLDER / name)))


def in_process() -> dg.JobDefinition:
    """All of them in one process, one after another."""
    return _job("in_process", dg.in_process_executor)


def threads() -> dg.JobDefinition:
    """All of them under ``notebook_executor``."""
    return _job("threads", nbd.notebook_executor)


def processes() -> dg.JobDefinition:
    """All of them under Dagster's multiprocess executor."""
    return _job("processes", dg.multiprocess_executor.configured({"max_concurrent": 4}))
