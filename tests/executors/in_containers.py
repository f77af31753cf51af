"""Jobs whose steps or kernels are in containers."""

from pathlib import Path
from typing import Any

import dagster as dg

from tests import containers
from tests.executors.remote_jobs import RemoteJobs


class ContainerJobs(RemoteJobs):
    """Jobs in containers."""

    def __init__(self, folder: Path, engine: Any, instance: dg.DagsterInstance) -> None:
        super().__init__(folder, instance)
        self.engine = engine

    def compute(self, isolation: str, **more: Any) -> dict[str, Any]:
        return containers.compute(isolation, **more)

    def left(self) -> list[str]:
        run_id = self.run.run_id
        return [
            each
            for key in ("dagster/run_id", "nb_dagster.run_id")
            for each in containers.left(self.engine, f"{key}={run_id}")
        ]
