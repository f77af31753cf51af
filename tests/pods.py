"""Pods of the tests: a real cluster that runs this machine's images, and this environment mounted into them."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import containers


def cluster() -> Any:
    """The cluster; the test is skipped where there is none."""
    if importlib.util.find_spec("dagster_k8s") is None:
        pytest.skip("dagster-k8s is not installed")
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    from nb_dagster.kernel.pods.cluster import cluster as found

    try:
        found().core.list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no Kubernetes answers ({error})")
    return found()


@contextmanager
def namespace() -> Iterator[str]:
    """A namespace of one's own, gone after the block with all that is in it."""
    core, name = cluster().core, f"nb-dagster-test-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    try:
        yield name
    finally:
        core.delete_namespace(name)


def compute(isolation: str, namespace: str, **more: Any) -> dict[str, Any]:
    """A compute whose pods have this environment and these sources, as folders of their node, which this machine is."""
    return containers.compute(
        isolation,
        namespace=namespace,
        **{**more, "container": {"imagePullPolicy": "Never", **more.get("container", {})}},
    )


def left(namespace: str, labels: str = "") -> list[str]:
    """Jobs and pods in a namespace, or those with labels; without pods in which nothing runs and that are on their way out."""
    found = cluster()
    jobs = found.jobs.list_namespaced_job(namespace, label_selector=labels).items
    pods = found.core.list_namespaced_pod(namespace, label_selector=labels).items
    return [each.metadata.name for each in (*jobs, *(each for each in pods if not _is_out(each)))]


def _is_out(pod: Any) -> bool:
    """Whether the cluster has only to forget a pod, which may take its node half a minute."""
    runs = any(each.state.running for each in pod.status.container_statuses or [])
    return pod.metadata.deletion_timestamp is not None and not runs


def running(namespace: str, labels: str = "") -> list[str]:
    """The names of pods in which something may still run."""
    pods = cluster().core.list_namespaced_pod(namespace, label_selector=labels).items
    return [pod.metadata.name for pod in pods if pod.status.phase not in ("Succeeded", "Failed") and not _is_out(pod)]
