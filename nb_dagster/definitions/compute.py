"""The compute of a workflow: as definitions say it, as its step finds it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.garbage import leave_out_what_is_here
from nb_dagster.kernel.compute import IN_PROCESS, Compute
from nb_dagster.kernel.pods.manifest import (
    DEFAULT_TTL,
    MANAGED_BY,
    container_of,
    merged,
    pod_annotations,
    pod_spec_of,
)
from nb_dagster.kernel.pods.schema import check_own_words

COMPUTE_TAG = "nb_dagster/compute"
"""Tag of an op whose notebook does not just run in a process: where and with what, as JSON."""
VARIABLES_TAG = "nb_dagster/variables"
"""Tag of such an op: names of the environment variables that have its secrets, with commas between."""
RETRY_ON_TAG = "nb_dagster/retry_on"
"""Tag of such an op that is not retried after any failure: after which, with commas between."""
K8S_TAG = "dagster-k8s/config"
"""Tag of an op by which Dagster's own executor of Kubernetes makes the pod of its step."""
IN_STEP_VARIABLE = "NB_DAGSTER_IN_STEP"
"""Set in the container of a step, where its kernel is beside it."""
if os.environ.get(IN_STEP_VARIABLE):  # this process is the step's alone: the end of its run waits for its own
    leave_out_what_is_here()


def check_compute(given: Compute | Mapping[str, Any] | None, owner: str) -> Compute:
    """The compute as it is given: as one, as its settings by name, or None for a process here.

    Raises:
        RunRefused: it is none, or what it says in the words of Kubernetes' API is not of it.
    """
    try:
        compute = _as_compute(given)
        check_own_words(compute)
    except (RunRefused, TypeError) as error:
        raise RunRefused(f"{owner}: {error}") from None
    return compute


def _as_compute(given: Compute | Mapping[str, Any] | None) -> Compute:
    if given is None or isinstance(given, Compute):
        return given or IN_PROCESS
    known = {each.name for each in fields(Compute)}
    if unknown := [str(name) for name in given if name not in known]:
        raise RunRefused(f"compute: there is no {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return Compute(**given)


def compute_tags(compute: Compute, secrets: Mapping[str, str]) -> dict[str, str]:
    """The tags of its op; none where it is a process like any other.

    Args:
        compute: where it runs, and with what.
        secrets: where its secrets are.
    """
    if compute == IN_PROCESS:
        return {}
    said = {name: value for name, value in asdict(compute).items() if value not in (None, [], {}, False)}
    variables = [each.removeprefix("env:") for each in secrets.values() if each.startswith("env:")]
    tags = {COMPUTE_TAG: json.dumps(said, sort_keys=True), VARIABLES_TAG: ",".join(sorted(set(variables)))}
    if compute.isolation == "k8s":
        tags[K8S_TAG] = json.dumps(k8s_config(compute), sort_keys=True)
    return tags


def k8s_config(compute: Compute) -> dict[str, Any]:
    """What Dagster's own executor of Kubernetes reads of a step's pod, in the form of :data:`K8S_TAG`."""
    container = merged(container_of(compute), {"env": [{"name": IN_STEP_VARIABLE, "value": "1"}]})
    labels = {**MANAGED_BY, **compute.labels}
    return {
        "container_config": container,
        "pod_spec_config": merged({"automountServiceAccountToken": False}, pod_spec_of(compute)),
        "pod_template_spec_metadata": {"annotations": pod_annotations(), "labels": labels},
        "job_metadata": {"labels": labels},
        "job_spec_config": {"ttlSecondsAfterFinished": compute.ttl or DEFAULT_TTL},
    }


def compute_of(tags: Mapping[str, str]) -> Compute:
    """The compute that an op's tags say."""
    return Compute(**json.loads(tags[COMPUTE_TAG])) if COMPUTE_TAG in tags else IN_PROCESS


def image_of(compute: Compute) -> str:
    """The image of a container.

    Raises:
        RunRefused: its runtime has none yet.
        EngineFailed: the engine does not answer.
    """
    if compute.image is not None:
        return compute.image
    from nb_dagster.runtimes.images import image_of as image_of_runtime

    if compute.runtime is None:
        raise RunRefused(
            f"compute: isolation {compute.isolation} needs an image or a runtime here, where there is no code location's"
        )
    project, _, runtime = compute.runtime.rpartition("/")
    return image_of_runtime(project, runtime, compute.version)


def kernel_compute(compute: Compute) -> Compute:
    """Where a step's kernel runs, seen from the step: in the step's own container, it is beside it.

    A step that was not given a container of its own, by another executor than ours, gives one to its kernel.

    Raises:
        RunRefused: its runtime has no image yet.
        EngineFailed: the engine does not answer.
    """
    if compute.is_whole_step and os.environ.get(IN_STEP_VARIABLE):
        return replace(IN_PROCESS, env=compute.env)
    if not compute.is_container:
        return compute
    return replace(compute, image=image_of(compute), runtime=None, version=None)
