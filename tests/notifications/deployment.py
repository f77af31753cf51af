"""Notebooks, their history, and the sensor that tells of them, ticked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd


class Deployment:
    """Definitions with notifications, whose sensor has looked once.

    Args:
        folder: where executed notebooks are kept.
        *assets: the assets; all are in the job ``nightly``.
        rules: who is told of what.
        jobs: further jobs.
        instance: the history; None takes one in memory.
        pages: address of a page server.
        ui: address of Dagster's UI.
    """

    def __init__(
        self,
        folder: Path,
        *assets: dg.AssetsDefinition,
        rules: list[nbd.Notify],
        jobs: list[dg.JobDefinition] | None = None,
        instance: dg.DagsterInstance | None = None,
        pages: str | None = None,
        ui: str | None = None,
    ) -> None:
        self.instance = instance or dg.DagsterInstance.ephemeral(str(folder / "dagster"))
        self.sensor = nbd.notification_sensor(*rules, ui=ui)
        nightly = [dg.define_asset_job("nightly", selection=dg.AssetSelection.all())] if assets else []
        self.definitions = dg.Definitions(
            assets=assets,
            jobs=[*nightly, *(jobs or [])],
            sensors=[self.sensor],
            resources=nbd.resources(str(folder / "store"), pages=pages),
            executor=dg.in_process_executor,
        )
        self.cursor: str | None = None
        self.tick()

    def run(self, job: str = "nightly", **options: Any) -> str:
        """Execute a job; the run's id."""
        found = self.definitions.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **options).run_id

    def tick(self) -> str:
        """Have the sensor look once, as the daemon does; what it says of it."""
        context = dg.build_sensor_context(
            self.instance, self.cursor, repository_def=self.definitions.get_repository_def()
        )
        with context:
            done = self.sensor.evaluate_tick(context)
        self.cursor = done.cursor
        return done.skip_message or ""

    def log(self, run_id: str) -> list[str]:
        """What a run's log says of notifications."""
        entries = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        messages = [entry.dagster_event.message or "" for entry in entries if entry.dagster_event is not None]
        return [message for message in messages if message.startswith("notification ")]
