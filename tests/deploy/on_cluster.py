"""The plain manifests on a real Kubernetes, with what this machine has in place of a registry, a DNS and a shared disk."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests import containers, pods
from tests.deploy import manifests
from tests.deploy.manifests import Object, of_kind
from tests.deploy.reachable_postgres import reachable_postgres
from tests.runs.postgres import needed_programs
from tests.waiting import wait_until

PASSWORD = "a-password-of-the-history"
TOKEN = "a-token-of-the-pages"
UP_IN = 240.0
"""Seconds in which a server is ready."""
HOST = "172.17.0.1"
"""This machine, as pods on the local Docker engine see it."""
_CODE = """\
from pathlib import Path
import nb_dagster as nbd
defs = nbd.NotebookProject.from_yaml(Path(__file__).parent / "nb_dagster.yaml").build_defs()
"""


@dataclass
class OnCluster:
    """The system in a namespace.

    Attributes:
        namespace: its name.
        folder: what the claim of notebooks leads to, here.
    """

    namespace: str
    folder: Path

    @property
    def core(self) -> Any:
        """The cluster's API of pods."""
        return pods.cluster().core

    def address(self, component: str) -> str:
        """The address of the pod of a server."""
        (pod,) = self.pods(f"app.kubernetes.io/component={component}")
        return str(pod.status.pod_ip)

    def pods(self, selector: str) -> list[Any]:
        """Pods with these labels."""
        found: list[Any] = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return found

    def wait_until_ready(self, component: str) -> None:
        """Wait until its readiness probe says so."""
        try:
            wait_until(lambda: self._is_ready(component), UP_IN)
        except AssertionError:
            pytest.fail(f"{component} is not ready: {self.said(component)}")

    def _is_ready(self, component: str) -> bool:
        found = self.pods(f"app.kubernetes.io/component={component}")
        conditions = [each for pod in found for each in pod.status.conditions or [] if each.type == "Ready"]
        return bool(conditions) and all(each.status == "True" for each in conditions)

    def said(self, component: str) -> str:
        """Events and last lines of a server, for whoever looks into a failure."""
        lines = [str(each.message) for each in self.core.list_namespaced_event(self.namespace).items]
        for pod in self.pods(f"app.kubernetes.io/component={component}"):
            with contextlib.suppress(Exception):
                lines.append(self.core.read_namespaced_pod_log(pod.metadata.name, self.namespace, tail_lines=30))
        return "\n".join(lines)[-4000:]

    def may(self, account: str, verb: str, resource: str, group: str = "") -> bool:
        """Whether a service account may do something, as the cluster itself judges."""
        from kubernetes import client

        resource, _, subresource = resource.partition("/")
        asked = {
            "namespace": self.namespace,
            "verb": verb,
            "resource": resource,
            "subresource": subresource,
            "group": group,
        }
        review = {"spec": {"user": f"system:serviceaccount:{self.namespace}:{account}", "resourceAttributes": asked}}
        api = client.AuthorizationV1Api(self.core.api_client)
        return bool(api.create_subject_access_review(review).status.allowed)


@contextlib.contextmanager
def on_cluster(project: str, notebooks: list[Path], image: str, code_of_it: str = _CODE) -> Iterator[OnCluster]:
    """Bring it up with a project file and notebooks, and remove all of it again.

    Args:
        project: the project file.
        notebooks: those beside it.
        image: an image whose Python any user may run.
        code_of_it: the module of its definitions, where they are not just those of the project file.
    """
    pods.cluster()
    binaries = needed_programs()
    folder = Path(
        tempfile.mkdtemp(prefix="deploy-k8s-", dir="/tmp")
    )  # seen by the node; no name that nb_dagster sweeps
    folder.chmod(0o755)
    code, data = folder / "project", folder / "data"
    code.mkdir()
    data.mkdir()
    data.chmod(0o777)  # a claim on a folder of the node keeps the folder's owner
    (code / "nb_dagster.yaml").write_text(project)
    (code / "deployed.py").write_text(code_of_it)
    for path in notebooks:
        shutil.copy(path, code)
    try:
        with pods.namespace() as name, reachable_postgres(binaries, PASSWORD, HOST) as port, _volume(name, data):
            objects = _changed(manifests.kustomized(), name, image, code, port)
            _apply(name, [each for each in objects if each["metadata"]["name"] not in _LATER])
            made = OnCluster(name, data)
            made.wait_until_ready("code")
            _apply(name, _addressed(objects, made.address("code")))
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_LATER = ("nb-dagster-web", "nb-dagster-daemon")
_SECRETS = {"nb-dagster-postgres": {"postgresql-password": PASSWORD}, "nb-dagster-pages": {"token": TOKEN}}


def _changed(objects: list[Object], name: str, image: str, code: Path, port: int) -> list[Object]:
    """The manifests, with the image that is here, and this environment and project mounted into it."""
    mounted = [sys.prefix, str(containers.ROOT), str(code)]
    volumes = [{"name": f"here-{n}", "hostPath": {"path": each}} for n, each in enumerate(mounted)]
    mounts = [{"name": f"here-{n}", "mountPath": each, "readOnly": True} for n, each in enumerate(mounted)]
    objects = [each for each in objects if each["kind"] != "Namespace" and "postgres" not in each["metadata"]["name"]]
    for each in objects:
        each["metadata"]["namespace"] = name
        for subject in each.get("subjects", []):
            subject["namespace"] = name
    for pod in manifests.pods(objects).values():
        pod["volumes"] += volumes
        (container,) = pod["containers"]
        container["image"] = image
        container["volumeMounts"] += mounts
        container["env"] = [each for each in container["env"] if each["name"] != "DAGSTER_CURRENT_IMAGE"]
        container["env"].append({"name": "DAGSTER_CURRENT_IMAGE", "value": image})
        container["command"] = [
            each.replace("example_project.definitions", "deployed") for each in container["command"]
        ]
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    claim["spec"] |= {"storageClassName": "", "volumeName": f"{name}-data"}
    for settings in of_kind(objects, "ConfigMap"):
        if settings["metadata"]["name"] == "nb-dagster-environment":
            path = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"
            settings["data"] |= {"PATH": path, "PYTHONPATH": f"{code}:{containers.ROOT}", "DAGSTER_PG_HOST": HOST}
        else:
            dagster = manifests.dagster_yaml(objects)
            dagster["storage"]["postgres"]["postgres_db"] |= {"port": port}
            dagster["run_monitoring"]["poll_interval_seconds"] = 3
            launcher = dagster["run_launcher"]["config"]
            launcher["volumes"] += volumes
            launcher["volume_mounts"] += mounts
            settings["data"]["dagster.yaml"] = yaml.safe_dump(dagster)
    secrets = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": name},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }
        for secret, values in _SECRETS.items()
    ]
    return [*secrets, *objects]


def _addressed(objects: list[Object], code: str) -> list[Object]:
    """What comes later, told the code server's address: this cluster has no DNS."""
    for settings in of_kind(objects, "ConfigMap"):
        if "workspace.yaml" in settings["data"]:
            text = settings["data"]["workspace.yaml"]
            settings["data"]["workspace.yaml"] = text.replace("nb-dagster-code", code)
    return [each for each in objects if each["kind"] == "ConfigMap" or each["metadata"]["name"] in _LATER]


def _apply(name: str, objects: list[Object]) -> None:
    text = yaml.safe_dump_all(objects)
    command = ["kubectl", "apply", "-n", name, "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def _volume(name: str, folder: Path) -> Iterator[None]:
    """A volume for the claim of notebooks, on a folder of the node."""
    api = pods.cluster().core
    spec = {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder)},
        "claimRef": {"namespace": name, "name": "nb-dagster-data"},
    }
    api.create_persistent_volume({"metadata": {"name": f"{name}-data"}, "spec": spec})
    try:
        yield
    finally:
        api.delete_persistent_volume(f"{name}-data")


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """Ask Dagster's GraphQL API."""
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert not answer.get("errors"), answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data
