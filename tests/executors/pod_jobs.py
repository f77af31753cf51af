"""Jobs whose steps or kernels are in pods."""

from pathlib import Path
from typing import Any

import dagster as dg

from tests import pods
from tests.executors.remote_jobs import RemoteJobs
from tests.waiting import holds_within, wait_until


class PodJobs(RemoteJobs):
    """Jobs in pods."""

    def __init__(self, folder: Path, namespace: str, instance: dg.DagsterInstance) -> None:
        super().__init__(folder, instance)
        self.namespace, self.core = namespace, pods.cluster().core

    def compute(self, isolation: str, **more: Any) -> dict[str, Any]:
        mounted = [f"{self.folder}:{self.folder}", *more.pop("volumes", [])]
        return pods.compute(isolation, **{"namespace": self.namespace, **more}, volumes=mounted)

    @property
    def labels(self) -> list[str]:
        """What its jobs and pods have, one of them each."""
        return [f"{key}={self.run.run_id}" for key in ("dagster/run-id", "nb-dagster/run-id")]

    def left(self) -> list[str]:
        return [each for labels in self.labels for each in pods.left(self.namespace, labels)]

    def alive(self) -> list[str]:
        """Pods in which something may still run."""
        return [each for labels in self.labels for each in pods.running(self.namespace, labels)]

    def delete(self, name: str, **more: Any) -> None:
        """Delete a pod, as by hand."""
        self.core.delete_namespaced_pod(name, self.namespace, **more)

    def wait_for(self, status: dg.DagsterRunStatus, within: float) -> None:
        """Wait until its run has a status."""
        wait_until(lambda: self.run.status == status, within)

    def settle(self, within: float = 30) -> None:
        """Wait until nothing is left of its run."""
        assert holds_within(within, lambda: self.left() == []), f"after {within:g} s there is still {self.left()}"
