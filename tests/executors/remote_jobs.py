"""Jobs whose steps or kernels are in containers or pods, each run in a process of its own, and what they left."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.definitions.metadata import stored_notebooks
from tests.executors import container_jobs
from tests.executors.deployment import execute
from tests.notebooks import cell_statuses, run_metadata
from tests.waiting import wait_until

ENDLESS = ("print('before', flush=True)\nimport time\nnb.metric('seen', 1)", "time.sleep(600)", "print('never')")
"""Cells of a notebook that is waited for in its second one."""
PASSWORD = "correct-horse-battery"


class RemoteJobs(ABC):
    """Jobs of :mod:`container_jobs`.

    Args:
        folder: what they have: their notebooks, their history, their stores.
        instance: that history.
    """

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        self.process: Any = None

    @abstractmethod
    def compute(self, isolation: str, **more: Any) -> dict[str, Any]:
        """The compute of a container or pod."""

    @abstractmethod
    def left(self) -> list[str]:
        """What is there of its runs."""

    def start(self, job: str, isolation: str, **compute: Any) -> Any:
        """Start one."""
        said = self.compute(isolation, **compute)
        self.process = execute(self.folder, container_jobs.__name__, job, said, PASSWORD=PASSWORD)
        return self.process

    def finish(self, job: str, isolation: str, **compute: Any) -> dg.DagsterRun:
        """Run one to its end."""
        self.start(job, isolation, **compute).wait(200)
        return self.run

    def running(self, job: str, isolation: str, **compute: Any) -> Any:
        """Start one, and wait until its notebook is in its second cell."""
        process = self.start(job, isolation, **compute)
        journals, log = self.folder / job / ".running", self.folder / f"{job}.log"
        wait_until(lambda: any('"seen"' in each.read_text() for each in journals.glob("*.jsonl")), 100, log.read_text)
        return process

    def cancel(self, process: Any) -> None:
        """Cancel its run, as Dagster does."""
        self.instance.report_run_canceling(self.run)
        process.send_signal(signal.SIGINT)

    def assert_cancelled(self, process: Any) -> None:
        """See that a cancelled run says so, and its notebook too."""
        process.wait(30)
        assert self.run.status == dg.DagsterRunStatus.CANCELED
        assert run_metadata(self.executed())["status"] == "cancelled"
        assert cell_statuses(self.executed()) == ["succeeded", "cancelled", "not_run"]

    @property
    def run(self) -> dg.DagsterRun:
        """The only run there is."""
        (run,) = self.instance.get_runs()
        return run

    def executed(self) -> str:
        """The one executed notebook."""
        (executed,) = stored_notebooks(self.instance, self.run.run_id)
        return executed

    def said(self) -> str:
        """How the run's steps failed."""
        entries = self.instance.all_logs(self.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
        return "\n".join(str(event.step_failure_data.error) for event in events)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """After the block its process is gone."""
        try:
            yield
        finally:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
