"""Manifests that are made of a compute are what the API takes: strictly, of each version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nb_dagster import Compute
from nb_dagster.definitions.compute import compute_tags
from nb_dagster.kernel.pods.manifest import job

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")

VERSIONS = ("1.27", "1.31", "1.34")
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
VALUES = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,10}[A-Za-z0-9])?)?", fullmatch=True)
TERMS = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": TERMS}}}
KEYS: dict[str, st.SearchStrategy[Any]] = {
    "cpus": st.floats(0.01, 64),
    "memory": st.sampled_from(["512m", "2g", 10_000_000]),
    "shm_size": st.sampled_from(["64m", "1g"]),
    "gpus": st.integers(1, 8),
    "volumes": st.lists(st.sampled_from(["/data:/data:ro", "claim:/claim", "/a:/b"]), unique=True),
    "env": st.dictionaries(st.sampled_from(["A", "B_1"]), st.text(st.characters(exclude_characters="\0"))),
    "user": st.sampled_from(["1000", "1000:1000"]),
    "node_selector": st.dictionaries(NAMES, VALUES),
    "tolerations": st.lists(st.fixed_dictionaries({"key": NAMES}, optional={"effect": st.just("NoSchedule")})),
    "affinity": st.just(AFFINITY),
    "service_account": NAMES,
    "image_pull_secrets": st.lists(NAMES, unique=True),
    "runtime_class": NAMES,
    "labels": st.dictionaries(NAMES, VALUES),
    "ttl": st.integers(1, 10_000),
    "pod_spec": st.sampled_from(
        [{"priorityClassName": "batch"}, {"volumes": [{"name": "more", "emptyDir": {}}]}, {"hostNetwork": True}]
    ),
    "container": st.sampled_from(
        [
            {"imagePullPolicy": "Never"},
            {"envFrom": [{"secretRef": {"name": "a"}}]},
            {"resources": {"limits": {"a/b": "1"}}},
        ]
    ),
}


def computes(isolation: str) -> st.SearchStrategy[Compute]:
    said = st.fixed_dictionaries({}, optional=KEYS)
    return said.map(lambda each: Compute(isolation, image="train:1.4", **each))  # type: ignore[arg-type]


def validate(manifest: dict[str, Any], version: str) -> None:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{version}: {error.message} at {list(error.path)}")


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=40)
@given(compute=computes("k8s-kernel"), deadline=st.none() | st.floats(0.1, 1e6))
def test_the_job_of_a_kernel(version: str, compute: Compute, deadline: float | None) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "run", "uid": "1-2-3"}
    made = job(
        compute, "train-1", ["sh"], labels={"a": "b"}, folders=["/tmp/a", "/tmp/b"], owner=owner, deadline=deadline
    )
    validate(made, version)
    pod = made["spec"]["template"]["spec"]
    assert len({each["name"] for each in pod.get("volumes", [])}) == len(pod.get("volumes", []))


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=40)
@given(compute=computes("k8s"))
def test_the_job_of_a_step(version: str, compute: Compute) -> None:
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job, get_user_defined_k8s_config
    from kubernetes.client import ApiClient

    made = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="train:1.4"),
        args=None,
        job_name="train-1",
        component="step_worker",
        user_defined_k8s_config=get_user_defined_k8s_config(compute_tags(compute, {})),
    )
    plain = json.loads(json.dumps(ApiClient().sanitize_for_serialization(made)))
    validate(plain, version)
    (container,) = plain["spec"]["template"]["spec"]["containers"]
    assert container.get("resources", {}).get("limits", {}).get("nvidia.com/gpu") == (
        compute.gpus and str(compute.gpus)
    )
