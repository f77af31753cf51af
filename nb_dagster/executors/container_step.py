"""A step in a Docker container of its own, whose image has Dagster and the project's code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dagster._core.executor.step_delegating import StepHandlerContext

from nb_dagster.definitions.compute import image_of
from nb_dagster.definitions.resource import store_of_job
from nb_dagster.definitions.workflow import NOTEBOOK_TAG
from nb_dagster.executors.deployment import Deployment
from nb_dagster.executors.remote_step import RemoteStep
from nb_dagster.kernel.compute import Compute, check_volume
from nb_dagster.kernel.containers.engine import KEPT_LABEL
from nb_dagster.kernel.containers.process import ContainerProcess, InContainer, start


class ContainerStep(RemoteStep):
    """A notebook step in a Docker container."""

    def __init__(self, job: Any, context: StepHandlerContext, compute: Compute, tags: Mapping[str, str]) -> None:
        super().__init__(job, context, compute, tags)
        self._deployment = Deployment.of(context)

    def _begin(self, folder: Path, kept: Path) -> ContainerProcess:
        return start(
            self._asked(kept),
            folder,
            ["command", *self._command],
            cwd=os.getcwd(),
            environment=self._environment(kept, self._deployment.environment),
            secret=self._secret(),
        )

    def _asked(self, kept: Path) -> InContainer:
        run = self._context.dagster_run
        labels = {"dagster/run_id": run.run_id, "dagster/job": run.job_name, "dagster/step": self._key}
        if self._compute.keep_failed:
            labels[KEPT_LABEL] = "yes"
        network = self._compute.network or self._deployment.network
        compute = replace(self._compute, network=network, volumes=self._volumes())
        return InContainer(image_of(compute), compute, [str(kept), *self._folders()], labels)

    def _folders(self) -> Iterator[str]:
        """What the step needs of this machine: the code, the notebook, the history, the store.

        Where the code location is in a container itself, its image has them, or its volumes.
        """
        if self._deployment.is_in_container:
            return
        store = store_of_job(self._job.get_definition(), self._context.instance).folder
        store.mkdir(parents=True, exist_ok=True)
        notebook = self._tags[NOTEBOOK_TAG]
        source = "" if "://" in notebook else os.path.dirname(notebook)
        wanted = (os.getcwd(), *self._deployment.code, self._deployment.history, str(store), source)
        yield from (each for each in wanted if each and os.path.isdir(each))

    def _volumes(self) -> list[str]:
        """Its own, and those of the deployment at other places."""
        own = self._compute.volumes
        taken = {check_volume(each)[1] for each in own}
        return [*(each for each in self._deployment.volumes if check_volume(each)[1] not in taken), *own]
