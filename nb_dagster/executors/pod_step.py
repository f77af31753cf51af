"""A step in a pod of its own, whose image has Dagster and the project's code."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagster._core.events import EngineEventData

from nb_dagster.definitions.compute import image_of
from nb_dagster.definitions.worker import Worker
from nb_dagster.errors import RunRefused
from nb_dagster.executors.remote_step import RemoteStep
from nb_dagster.kernel.pods.cluster import FOLDER_LABEL, KEPT_LABEL, Cluster, cluster, of_this_machine
from nb_dagster.kernel.pods.manifest import GRACE, label, workspace_mounts, workspace_volumes
from nb_dagster.kernel.pods.process import PodProcess, delete, start
from nb_dagster.kernel.remote import LOST_VARIABLE, EngineFailed, RemoteProcess

_WORKER_LABEL = "nb-dagster/worker"
_EARLIER = 60.0
"""Seconds that a cluster may take to delete what the worker before has left."""


class PodStep(RemoteStep):
    """A notebook step in a pod of Kubernetes.

    What Dagster's launcher of runs and the code location say of pods counts for it too, as for the pods of Dagster's
    own executor of Kubernetes; the workflow's compute goes first.
    """

    def _begin(self, folder: Path, kept: Path) -> PodProcess:
        self._remove_earlier()
        process = start(
            functools.partial(self._job_of, folder=folder, kept=kept),
            folder,
            name=self._key,
            namespace=self._namespace,
            start_timeout=self._compute.start_timeout,
            tell=self._say,
            is_given_up=self._is_stopping.is_set,
        )
        try:
            environment = {each["name"]: each["value"] for each in self._context.execute_step_args.get_command_env()}
            lost = folder / "lost"
            process.begin(
                self._command,
                cwd=[os.getcwd(), "/"],
                environment={
                    **self._environment(kept, environment),
                    **self._secret(),
                    LOST_VARIABLE: str(lost),
                },
                lost=lost,
            )
        except BaseException:
            process.remove()
            raise
        return process

    def _clear(self, process: RemoteProcess, kept: Path, *, is_kept: bool) -> None:
        if process.cause_of_death() is not None:
            self._say(process.how_it_ended())
        if isinstance(process, PodProcess):
            _fetch(process, kept)
            if is_kept:
                process.release()
        super()._clear(process, kept, is_kept=is_kept)

    @functools.cached_property
    def _dagster_context(self) -> Any:
        """What Dagster says of the step's pod: launcher, code location, and the op's own tag, merged by its rules."""
        from dagster_k8s import K8sRunLauncher
        from dagster_k8s.container_context import K8sContainerContext
        from dagster_k8s.job import get_user_defined_k8s_config

        launcher = self._context.instance.run_launcher
        found = K8sContainerContext.create_for_run(
            self._context.dagster_run,
            launcher if isinstance(launcher, K8sRunLauncher) else None,
            include_run_tags=False,
        )
        return found.merge(K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(self._tags)))

    @property
    def _namespace(self) -> str | None:
        said: str | None = self._compute.namespace or self._dagster_context.namespace
        return said

    def _job_of(self, found: Cluster, name: str, command: Sequence[str], *, folder: Path, kept: Path) -> Any:
        from dagster_k8s.container_context import K8sContainerContext
        from dagster_k8s.job import UserDefinedDagsterK8sConfig, construct_dagster_k8s_job

        run, folders = self._context.dagster_run, [str(folder), str(kept)]
        own: Any = {
            "container_config": {"command": list(command), **workspace_mounts(folders)},
            "pod_spec_config": {"terminationGracePeriodSeconds": GRACE, **workspace_volumes(folders)},
            "job_metadata": {
                "annotations": {FOLDER_LABEL: str(folder)},
                **({"ownerReferences": [dict(owner)]} if (owner := found.owner()) else {}),
            },
        }
        kept_label = {KEPT_LABEL: "yes"} if self._compute.keep_failed else {}
        config = UserDefinedDagsterK8sConfig(**own)
        merged = self._dagster_context.merge(K8sContainerContext(run_k8s_config=config))
        return construct_dagster_k8s_job(
            job_config=self._job_config(merged),
            args=None,
            job_name=name,
            pod_name=name,
            component="step_worker",
            user_defined_k8s_config=merged.run_k8s_config,
            labels={
                **self._labels,
                **_of_this_worker(),
                **kept_label,
                "dagster/job": run.job_name,
                **of_this_machine(),
            },
        )

    @property
    def _labels(self) -> dict[str, str]:
        """What the jobs of all its attempts have."""
        return {"dagster/run-id": self._context.dagster_run.run_id, "dagster/op": label(self._key)}

    def _job_config(self, merged: Any) -> Any:
        from dagster_k8s import K8sRunLauncher
        from dagster_k8s.job import DagsterK8sJobConfig

        origin = self._context.execute_step_args.job_origin.repository_origin
        has_own = self._compute.image is not None or self._compute.runtime is not None
        image = image_of(self._compute) if has_own else origin.container_image
        launcher = self._context.instance.run_launcher
        if isinstance(launcher, K8sRunLauncher):
            config = merged.get_k8s_job_config(image, launcher)
        else:
            config = DagsterK8sJobConfig(job_image=image)
        if not config.job_image:
            raise RunRefused(
                "compute: isolation k8s needs an image or a runtime here, where the code location has none"
            )
        return config

    def _remove_earlier(self) -> None:
        """See that no pod of this step is left by a worker that is gone: its run was resumed.

        Raises:
            EngineFailed: one stays.
        """
        found = cluster()
        namespace, until = self._namespace or found.namespace, time.monotonic() + _EARLIER
        while jobs := found.jobs_with(self._labels, namespace, without=_of_this_worker()):
            if time.monotonic() > until:
                raise EngineFailed(f"the cluster does not delete the job {jobs[0]} of the worker before")
            for each in jobs:
                delete(each, namespace)
            time.sleep(0.5)

    def _say(self, words: str) -> None:
        event = EngineEventData()
        self._context.instance.report_engine_event(words, self._context.dagster_run, event, step_key=self._key)


def _of_this_worker() -> dict[str, str]:
    """The label of the jobs that this process makes."""
    worker = Worker.of()
    return {_WORKER_LABEL: label(f"{worker.pid}-{worker.started:.2f}-{worker.machine}")}


def _fetch(process: PodProcess, kept: Path) -> None:
    """Have a notebook here that could not be written to its place."""
    with contextlib.suppress(EngineFailed, ValueError):
        for name in process.line.ask("files", folder=str(kept), within=2)["files"]:
            path = (kept / name).resolve()
            if path.is_relative_to(kept.resolve()):
                process.line.get(f"{kept}/{name}", path)
