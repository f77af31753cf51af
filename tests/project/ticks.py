"""Sensors of a project, ticked by hand as the daemon does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from tests.project.projects import definitions


class Ticks:
    """A project's sensor and its history.

    Args:
        path: the project file.
        sensor: the sensor's name.
        instance: the history.
    """

    def __init__(self, path: Path, sensor: str, instance: dg.DagsterInstance) -> None:
        self.definitions = definitions(path)
        self.repository = self.definitions.get_repository_def()
        self.sensor = self.repository.get_sensor_def(sensor)
        self.instance = instance

    def tick(self) -> Any:
        """What one look makes."""
        with dg.build_sensor_context(self.instance, repository_def=self.repository) as context:
            return self.sensor.evaluate_tick(context)

    def run(self) -> list[dg.ExecuteInProcessResult]:
        """One look, and the runs that it asks for: of one key one alone, as the daemon has it."""
        done = []
        for request in self.tick().run_requests or ():
            tags = {"dagster/sensor_name": self.sensor.name, "dagster/run_key": str(request.run_key)}
            if not self.instance.get_runs_count(dg.RunsFilter(tags=tags)):
                job = self.definitions.resolve_job_def(str(self.sensor.job_name))
                done.append(job.execute_in_process(request.run_config, self.instance, tags=tags))
        return done
