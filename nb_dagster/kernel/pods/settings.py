"""What a workflow may say of its pod, beside what it says of any container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nb_dagster.errors import RunRefused

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_OPERATORS = ("Exists", "Equal")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OF_TOLERATION = ("key", "operator", "value", "effect", "tolerationSeconds")
GPU_PRODUCT = "nvidia.com/gpu.product"
"""The label that NVIDIA's operator gives to nodes: what their GPUs are called."""


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """What only a pod has.

    Attributes:
        namespace: the namespace it is made in; by default that of the worker, or of the kubeconfig's context.
        node_selector: labels that its node has.
        tolerations: taints of a node that it bears, each as Kubernetes has it: ``{key, operator, value, effect}``.
        affinity: what node and which pods beside it want, as Kubernetes has it.
        service_account: its service account; a kernel's pod gets no token of it.
        image_pull_secrets: names of the secrets by which its image is pulled.
        runtime_class: its runtime class, such as ``gvisor``.
        labels: labels of pod and job, beside ours.
        gpu_type: which GPUs: the node's ``nvidia.com/gpu.product``, or a label and its value, such as
            ``cloud.google.com/gke-accelerator=nvidia-l4``.
        start_timeout: seconds that it may wait for a node and its image before the attempt fails.
        ttl: seconds that the cluster keeps its job, where nobody is left to remove it, or it is to be kept.
        pod_spec: what else its pod's ``spec`` has, in the API's own words.
        container: what else its container has, in the API's own words.
    """

    namespace: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    affinity: dict[str, Any] = field(default_factory=dict)
    service_account: str | None = None
    image_pull_secrets: list[str] = field(default_factory=list)
    runtime_class: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    gpu_type: str | None = None
    start_timeout: float | None = None
    ttl: int | None = None
    pod_spec: dict[str, Any] = field(default_factory=dict)
    container: dict[str, Any] = field(default_factory=dict)

    def said_of_pods(self) -> list[str]:
        """The names of those that are said."""
        return [each.name for each in fields(PodSettings) if getattr(self, each.name) not in (None, [], {})]

    def check_pod(self) -> None:
        """See that each is what Kubernetes takes.

        Raises:
            RunRefused: one is not; the message names its key.
        """
        for name, pattern, expected in (
            ("namespace", _NAMESPACE, "a namespace's name, such as notebooks"),
            ("service_account", _NAME, "a service account's name"),
            ("runtime_class", _NAME, "a runtime class's name, such as gvisor"),
        ):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, str) and pattern.fullmatch(given)):
                raise refusal(name, expected, given)
        for each in self.image_pull_secrets:
            if not (isinstance(each, str) and _NAME.fullmatch(each)):
                raise refusal("image_pull_secrets", "a list of names of secrets", each)
        check_labels("node_selector", self.node_selector)
        check_labels("labels", self.labels)
        for number, toleration in enumerate(self.tolerations):
            _check_toleration(f"tolerations[{number}]", toleration)
        if self.gpu_type is not None:
            check_labels("gpu_type", gpu_label(self.gpu_type))
        for name in ("start_timeout", "ttl"):
            _check_seconds(name, getattr(self, name))
        for name in ("affinity", "pod_spec", "container"):
            if not isinstance(getattr(self, name), Mapping):
                raise refusal(name, "a mapping, as Kubernetes has it", getattr(self, name))


def gpu_label(gpu_type: str) -> dict[str, str]:
    """The label of nodes with such GPUs."""
    label, is_label, value = str(gpu_type).partition("=")
    return {label: value} if is_label else {GPU_PRODUCT: label}


def check_labels(name: str, given: object) -> None:
    """See that these are labels of Kubernetes.

    Raises:
        RunRefused: they are not.
    """
    if not isinstance(given, Mapping):
        raise refusal(name, "a mapping of labels to their values", given)
    for key, value in given.items():
        if not (isinstance(key, str) and _LABEL_KEY.fullmatch(key)):
            raise refusal(name, "labels such as node.kubernetes.io/instance-type", key)
        if not (isinstance(value, str) and _LABEL_VALUE.fullmatch(value)):
            raise refusal(
                f"{name}: {key}",
                "at most 63 letters, digits, -, _ and ., as text (in quotes, where YAML sees a number)",
                value,
            )


def _check_toleration(name: str, given: object) -> None:
    if not isinstance(given, Mapping):
        raise refusal(name, "a mapping with key, operator, value and effect", given)
    for key in given:
        if key not in _OF_TOLERATION:
            raise refusal(name, f"a mapping of {', '.join(_OF_TOLERATION)}", key)
    operator, effect = given.get("operator", "Equal"), given.get("effect")
    if operator not in _OPERATORS:
        raise refusal(f"{name}.operator", f"one of {', '.join(_OPERATORS)}", operator)
    if effect is not None and effect not in _EFFECTS:
        raise refusal(f"{name}.effect", f"one of {', '.join(_EFFECTS)}", effect)
    if operator == "Exists" and given.get("value"):
        raise refusal(f"{name}.value", "nothing where operator is Exists", given["value"])


def _check_seconds(name: str, given: object) -> None:
    if given is None:
        return
    is_number = isinstance(given, int) or (isinstance(given, float) and name != "ttl")
    if isinstance(given, bool) or not is_number or not 0 < float(str(given)) < 1e9:
        raise refusal(name, "a number of seconds above 0", given)


def refusal(name: str, expected: str, given: object) -> RunRefused:
    """What is said of a value that does not do."""
    return RunRefused(f"compute: {name} is {expected}, not {given!r}")
