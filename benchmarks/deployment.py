"""A Dagster deployment for the length of a benchmark: jobs run by ``dagster job execute``, each run in a new process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

ROOT = Path(__file__).parent.parent
_JOBS = Path(__file__).parent / "processes"


@dataclass(frozen=True)
class Deployment:
    """A persistent instance, a working folder and the notebooks.

    Args:
        home: ``DAGSTER_HOME`` and working folder.
        notebooks: folder of the notebooks.
        python: the interpreter that has the jobs' libraries.
        definitions: the file of the jobs.
    """

    home: Path
    notebooks: Path
    python: str
    definitions: Path

    def environment(self) -> dict[str, str]:
        """What a process in it knows."""
        self.home.mkdir(exist_ok=True)
        (self.home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        mine = {"DAGSTER_HOME": str(self.home), "BENCH_NOTEBOOKS": str(self.notebooks), "PYTHONPATH": str(ROOT)}
        return {**os.environ, **mine, "DAGSTER_DISABLE_TELEMETRY": "yes", "PYTHONWARNINGS": "ignore"}

    def run(self, job: str, **environment: str) -> float:
        """Run a job; returns its seconds from run start to run end.

        Args:
            job: its name.
            environment: further variables of its process.

        Raises:
            RuntimeError: it did not succeed.
        """
        command = [self.python, "-m", "dagster", "job", "execute", "-f", str(self.definitions), "-j", job]
        done = subprocess.run(
            command,
            env={**self.environment(), **environment},
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{job} of {self.definitions.name} failed:\n{done.stderr[-5000:]}")
        return last_run_seconds(self.home)


def last_run_seconds(home: Path) -> float:
    """Seconds of the last run, by its record.

    Raises:
        RuntimeError: there is none that succeeded.
    """
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (record,) = instance.get_run_records(limit=1)
    if record.dagster_run.status is not dg.DagsterRunStatus.SUCCESS or not record.start_time or not record.end_time:
        raise RuntimeError(f"run {record.dagster_run.run_id} is {record.dagster_run.status.value}")
    return record.end_time - record.start_time


def our_deployment(folder: Path, notebooks: Path) -> Deployment:
    """Ours."""
    return Deployment(folder / "ours", notebooks, sys.executable, _JOBS / "dagster_jobs.py")


def dagstermill_deployment(folder: Path, notebooks: Path, python: str) -> Deployment:
    """dagstermill's."""
    return Deployment(folder / "dagstermill", notebooks, python, _JOBS / "dagstermill_jobs.py")
