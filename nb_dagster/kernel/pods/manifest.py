"""The manifest of a pod, from what a workflow says of its compute, in the words of Kubernetes' API."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nb_dagster.kernel.compute import Compute, check_volume
from nb_dagster.kernel.pods.settings import gpu_label

MANAGED_BY = {"app.kubernetes.io/managed-by": "nb_dagster"}
"""A label of each job and pod of ours."""
CONTAINER = "dagster"
"""How the container is called in which a kernel or step is, as Dagster calls its own."""
DEFAULT_TTL = 3600
"""Seconds that a cluster keeps a job that nobody removed."""
GRACE = 30
"""Seconds that what is in a pod has to end, when the pod is told to."""
_GPU = "nvidia.com/gpu"
# Autoscalers empty nodes that they find too idle; a notebook cannot go on elsewhere.
_STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


def container_of(compute: Compute) -> dict[str, Any]:
    """What a compute says of the container."""
    resources = _resources(compute)
    said: dict[str, Any] = {
        "image": compute.image,
        "env": [{"name": name, "value": literal(value)} for name, value in compute.env.items()],
        "resources": {"requests": dict(resources), "limits": resources} if resources else {},
        "volumeMounts": [
            {"name": name, "mountPath": target, **({"readOnly": True} if mode == "ro" else {})}
            for name, _, target, mode in _volumes(compute)
        ],
    }
    if compute.shm_bytes is not None:
        said["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - where it always is
    return merged(_without_empty(said), compute.container)


def pod_spec_of(compute: Compute) -> dict[str, Any]:
    """What a compute says of the pod beside its container."""
    volumes = [{"name": name, **source} for name, source, _, _ in _volumes(compute)]
    if compute.shm_bytes is not None:
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(compute.shm_bytes)}})
    tolerations = [dict(each) for each in compute.tolerations]
    if compute.gpus:  # nodes with GPUs often have this taint, so that nothing else goes there
        tolerations.append({"key": _GPU, "operator": "Exists", "effect": "NoSchedule"})
    said = {
        "nodeSelector": {**(gpu_label(compute.gpu_type) if compute.gpu_type else {}), **compute.node_selector},
        "tolerations": tolerations,
        "affinity": compute.affinity,
        "serviceAccountName": compute.service_account,
        "imagePullSecrets": [{"name": each} for each in compute.image_pull_secrets],
        "runtimeClassName": compute.runtime_class,
        "securityContext": _security(compute),
        "volumes": volumes,
    }
    return merged(_without_empty(said), compute.pod_spec)


def pod_annotations() -> dict[str, str]:
    """What autoscalers are told of a pod."""
    return dict(_STAYS)


def literal(text: str) -> str:
    """A text as Kubernetes leaves it, which would read ``$(NAME)`` and ``$$`` in it otherwise."""
    return text.replace("$", "$$")


def label(text: str) -> str:
    """A text as the value of a label: what does not go into one is replaced, and at most 63 characters are kept."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")


def job(
    compute: Compute,
    name: str,
    command: Sequence[str],
    *,
    labels: Mapping[str, str],
    folders: Sequence[str] = (),
    owner: Mapping[str, str] | None = None,
    deadline: float | None = None,
) -> dict[str, Any]:
    """The job of a kernel's pod.

    Args:
        compute: where it runs, and with what; its image is known.
        name: the job's name.
        command: what its container runs.
        labels: what it is found by.
        folders: paths at which the pod has empty folders of its own.
        owner: the pod whose end is its end.
        deadline: seconds after which the cluster ends it.
    """
    container = merged({"name": CONTAINER, **workspace_mounts(folders)}, container_of(compute))
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,  # a kernel has no business with the cluster
        "enableServiceLinks": False,  # variables of every service, among those of the notebook
        "terminationGracePeriodSeconds": GRACE,
        **workspace_volumes(folders),
    }
    said_labels = {**MANAGED_BY, **labels, **compute.labels}
    metadata: dict[str, Any] = {"name": name, "labels": said_labels}
    if owner is not None:
        metadata["ownerReferences"] = [dict(owner)]
    made = merged(spec, pod_spec_of(compute))
    made["containers"] = [{**container, "command": list(command)}, *made.get("containers", [])]
    template = {"metadata": {"labels": said_labels, "annotations": pod_annotations()}, "spec": made}
    job_spec = {"backoffLimit": 0, "ttlSecondsAfterFinished": compute.ttl or DEFAULT_TTL, "template": template}
    if deadline is not None:
        job_spec["activeDeadlineSeconds"] = max(1, round(deadline))
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job_spec}


def workspace_mounts(folders: Sequence[str]) -> dict[str, Any]:
    """Empty folders of the pod's own, as its container has them."""
    mounts = [{"name": f"workspace-{number}", "mountPath": path} for number, path in enumerate(folders)]
    return {"volumeMounts": mounts} if mounts else {}


def workspace_volumes(folders: Sequence[str]) -> dict[str, Any]:
    """The same, as its pod has them."""
    volumes = [{"name": f"workspace-{number}", "emptyDir": {}} for number, _ in enumerate(folders)]
    return {"volumes": volumes} if volumes else {}


def merged(onto: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Both, one mapping in the other's; of lists the second comes after the first, other values replace."""
    result = dict(onto)
    for key, value in given.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[key] = merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = [*before, *(each for each in value if each not in before)]
        else:
            result[key] = value
    return result


def _resources(compute: Compute) -> dict[str, str]:
    """Requests and limits alike: a scheduler, and an autoscaler, go by what is asked for."""
    said = {}
    if compute.cpus is not None:
        said["cpu"] = f"{round(compute.cpus * 1000)}m"
    if compute.memory_bytes is not None:
        said["memory"] = str(compute.memory_bytes)
    if compute.gpus is not None:
        said[_GPU] = str(compute.gpus)
    return said


def _volumes(compute: Compute) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """Name, source, target and mode of each volume."""
    for number, (source, target, mode) in enumerate(map(check_volume, compute.volumes)):
        if source.startswith((".", "/")):
            yield f"volume-{number}", {"hostPath": {"path": os.path.abspath(source)}}, target, mode
        else:
            yield f"volume-{number}", {"persistentVolumeClaim": {"claimName": source}}, target, mode


def _security(compute: Compute) -> dict[str, int]:
    if compute.user is None:
        return {}
    user, _, group = compute.user.partition(":")
    context = {"runAsUser": int(user)}
    if group:
        context |= {"runAsGroup": int(group), "fsGroup": int(group)}
    return context


def _without_empty(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value not in (None, [], {})}
