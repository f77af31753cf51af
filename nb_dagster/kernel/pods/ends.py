"""Why a pod waits, and how it ended, in words."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nb_dagster.kernel.pods.manifest import CONTAINER
from nb_dagster.kernel.remote import exit_code

if TYPE_CHECKING:
    from kubernetes.client import V1ContainerStatus, V1Pod

_HOPELESS = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "InvalidImageName",
    "RunContainerError",
    "StartError",
)
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable")
_NO_SUCH_IMAGE = re.compile(r"not found|manifest unknown|does not exist|denied|unauthorized|forbidden", re.IGNORECASE)
_OF_NODE = {
    "Evicted": "was evicted from its node",
    "Preempting": "had to make room for a more important one",
    "PreemptionByScheduler": "had to make room for a more important one",
    "NodeLost": "is on a node that is gone",
    "NodeAffinity": "was refused by its node",
    "NodeShutdown": "was on a node that was shut down",
    "Shutdown": "was on a node that was shut down",
    "Terminated": "was on a node that was shut down",
    "TerminationByKubelet": "was ended by its node",
    "DeletionByTaintManager": "was on a node that does not answer any more, or was drained",
    "EvictionByEvictionAPI": "was evicted, as when a node is drained",
    "DeletionByPodGC": "was on a node that is gone",
    "UnexpectedAdmissionError": "was refused by its node",
    "OutOfcpu": "was refused by its node",
    "OutOfmemory": "was refused by its node",
}


def waits_for(pod: V1Pod | None) -> str:
    """What keeps a pod from running, in words; empty where nothing does."""
    if pod is None:
        return "no pod of its job is there yet"
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"no node takes its pod: {_short(condition.message or condition.reason)}"
    for reason, message, image in _waiting(pod):
        if reason in _NO_IMAGE:
            return f"its image {image!r} is not pulled yet ({_short(message or reason)})"
    return ""


def cannot_start(pod: V1Pod | None) -> str | None:
    """Why a pod will never run, in words; None where it may."""
    if pod is None:
        return None
    for reason, message, image in _waiting(pod):
        if reason in _NO_IMAGE and _NO_SUCH_IMAGE.search(message):
            return f"there is no image {image!r} to be pulled ({_short(message)})"
        if reason in ("ErrImageNeverPull", "InvalidImageName"):
            return f"there is no image {image!r} ({_short(message or reason)})"
        if reason in _HOPELESS:
            return f"its container cannot be made ({reason}: {_short(message)})"
    return None


def is_over(pod: V1Pod) -> bool:
    """Whether nothing runs in a pod any more."""
    state = state_of(pod)
    return pod.status.phase in ("Succeeded", "Failed") or (state is not None and state.terminated is not None)


def code_of(pod: V1Pod) -> int | None:
    """The exit code of its container, negative for a signal; None where there is none."""
    state = state_of(pod)
    if state is None or state.terminated is None:
        return None
    return exit_code(int(state.terminated.exit_code))


def is_out_of_memory(pod: V1Pod) -> bool:
    """Whether the cluster says that it ran out of memory."""
    state = state_of(pod)
    return state is not None and state.terminated is not None and state.terminated.reason == "OOMKilled"


def ended_by_cluster(pod: V1Pod | None) -> str | None:
    """What the cluster did to a pod, in words; None where it did nothing."""
    if pod is None:
        return "its pod was deleted"
    status, node = pod.status, pod.spec.node_name
    on_node = f" ({node})" if node else ""
    disruption = next((each for each in status.conditions or [] if each.type == "DisruptionTarget"), None)
    reason = status.reason or (disruption.reason if disruption is not None else None)
    if reason == "DeadlineExceeded":
        return "its pod was ended at its deadline"
    if reason is not None:
        said = _OF_NODE.get(reason, f"was ended by the cluster as {reason}")
        message = status.message or (disruption.message if disruption is not None else "") or ""
        return f"its pod {said}{on_node}{f': {_short(message)}' if message else ''}"
    if pod.metadata.deletion_timestamp is not None:
        return f"its pod was deleted{on_node}"
    return None


def signal_words(code: int) -> str:
    """An exit code, in words."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def state_of(pod: V1Pod) -> Any:
    """The state of the container that a kernel or step is in; None where it has none yet."""
    return next((each.state for each in _statuses(pod) if each.name == CONTAINER), None)


def _waiting(pod: V1Pod) -> Iterator[tuple[str, str, str]]:
    for each in _statuses(pod):
        if each.state is not None and each.state.waiting is not None:
            yield each.state.waiting.reason or "", each.state.waiting.message or "", each.image


def _statuses(pod: V1Pod) -> list[V1ContainerStatus]:
    return [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]


def _short(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0][:300] if lines else ""
