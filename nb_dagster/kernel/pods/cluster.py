"""The cluster: how its API is reached, and what it is asked for so that a pod can run."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.folders import is_abandoned
from nb_dagster.kernel.machine import machine
from nb_dagster.kernel.pods.api import ANSWER, AT_ONCE, NOT_FOUND, ApiRefused, asked, first_line, gone
from nb_dagster.kernel.pods.manifest import MANAGED_BY, label
from nb_dagster.kernel.remote import EngineFailed

if TYPE_CHECKING:
    from kubernetes.client import BatchV1Api, CoreV1Api, V1Job, V1Pod

FOLDER_LABEL = "nb-dagster/folder"
"""Annotation of a job: the private folder whose owner it ends with."""
MACHINE_LABEL = "nb-dagster/machine"
"""Label of a job: the machine that folder is on."""
KEPT_LABEL = "nb-dagster/kept"
"""Label of a job that may stay when its owner is gone, to be looked into."""
_CONFLICT = 409
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def check_client(compute: Compute) -> None:
    """See that the Kubernetes client is there, where a pod is asked for.

    Raises:
        RunRefused: it is not installed.
    """
    if compute.is_pod and importlib.util.find_spec("kubernetes") is None:
        raise RunRefused(
            f"compute: isolation {compute.isolation} needs the Kubernetes client: pip install 'nb_dagster[k8s]'"
        )


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes:
        jobs: its API of jobs.
        core: its API of pods.
        namespace: where pods are made that name none.
        is_around: whether this process is in a pod of it.
    """

    jobs: BatchV1Api
    core: CoreV1Api
    namespace: str
    is_around: bool

    def create(self, job: Any, namespace: str) -> None:
        """Make a job, as a mapping or as the client's own object.

        Raises:
            EngineFailed: the cluster does not make it.
        """

        def make() -> Any:
            return self.jobs.create_namespaced_job(namespace, job, field_validation="Strict", _request_timeout=ANSWER)

        try:
            asked(make)
        except ApiRefused as refused:
            if refused.status != _CONFLICT:  # an answer that was lost on its way, and asked for again
                raise EngineFailed(f"the cluster makes no job in namespace {namespace} ({refused})") from None

    def jobs_with(
        self, labels: Mapping[str, str], namespace: str, *, without: Mapping[str, str] | None = None
    ) -> list[str]:
        """The names of the jobs of ours that have these labels.

        Args:
            labels: what they have.
            namespace: where they are.
            without: labels that they do not have.

        Raises:
            EngineFailed: the cluster does not answer.
        """
        return [each.metadata.name for each in self._jobs(labels, namespace, without or {})]

    def pod(self, job: str, namespace: str) -> V1Pod | None:
        """The pod of a job; None where there is none.

        Raises:
            EngineFailed: the cluster does not answer.
        """
        return next(iter(asked(lambda: self._pods(job, namespace, ANSWER))), None)

    def find(self, pod: str, namespace: str) -> V1Pod | None:
        """A pod by its own name; None where it is gone, also where its job has another one now.

        Raises:
            EngineFailed: the cluster does not answer.
        """
        try:
            return asked(lambda: self.core.read_namespaced_pod(pod, namespace, _request_timeout=ANSWER))
        except ApiRefused as refused:
            if refused.status != NOT_FOUND:
                raise
            return None

    def find_at_once(self, pod: str, namespace: str) -> V1Pod | None:
        """The same, without patience.

        Raises:
            EngineFailed: the cluster does not answer at once.
        """
        from kubernetes.client.exceptions import ApiException

        try:
            return self.core.read_namespaced_pod(pod, namespace, _request_timeout=AT_ONCE)
        except Exception as error:  # of urllib3, of the system's sockets, of TLS, of the API
            if isinstance(error, ApiException) and error.status == NOT_FOUND:
                return None
            raise EngineFailed(first_line(error)) from None

    def log(self, pod: str, namespace: str, container: str, **more: Any) -> str:
        """The log of a container.

        Raises:
            EngineFailed: the cluster does not give it.
        """
        return asked(lambda: self._log(pod, namespace, container, _request_timeout=ANSWER, **more))

    def last_lines(self, pod: str, namespace: str, container: str, count: int) -> str:
        """The end of its log; empty where the API does not give it at once."""
        try:
            return self._log(pod, namespace, container, tail_lines=count, _request_timeout=AT_ONCE)
        except Exception:  # of urllib3, of the system's sockets, of TLS, of the API
            return ""

    def _log(self, pod: str, namespace: str, container: str, **more: Any) -> str:
        # Read as it is: what the client makes of the log of this call is the text of a bytes object.
        answer = self.core.read_namespaced_pod_log(pod, namespace, container=container, _preload_content=False, **more)
        return str(answer.data.decode(errors="replace"))

    def delete(self, job: str, namespace: str, grace: int = 0) -> None:
        """Delete a job with its pod, as soon as the API takes it.

        Args:
            job: its name.
            namespace: where it is.
            grace: seconds that what is in the pod has to end.
        """
        with contextlib.suppress(EngineFailed):
            asked(lambda: self._delete(job, namespace, grace))

    def delete_at_once(self, job: str, namespace: str, grace: int = 0) -> bool:
        """The same, if the API answers; whether it did."""
        try:
            self._delete(job, namespace, grace)
        except Exception:  # of urllib3, of the system's sockets, of TLS, of the API
            return False
        return True

    def _delete(self, job: str, namespace: str, grace: int) -> None:
        gone(self.jobs.delete_namespaced_job, job, namespace, propagation_policy="Background")
        for pod in self._pods(job, namespace, AT_ONCE):
            gone(self.core.delete_namespaced_pod, pod.metadata.name, namespace, grace_period_seconds=grace)

    def sweep(self, namespace: str) -> None:
        """Remove the jobs of processes of this machine that are gone."""
        for each in self._jobs(of_this_machine(), namespace, {}):
            folder = (each.metadata.annotations or {}).get(FOLDER_LABEL, "")
            if is_abandoned(Path(folder)) and KEPT_LABEL not in each.metadata.labels:
                self.delete(each.metadata.name, namespace)

    def _jobs(self, labels: Mapping[str, str], namespace: str, without: Mapping[str, str]) -> list[V1Job]:
        has = [f"{key}={value}" for key, value in {**MANAGED_BY, **labels}.items()]
        ours = ",".join([*has, *(f"{key}!={value}" for key, value in without.items())])
        found = asked(lambda: self.jobs.list_namespaced_job(namespace, label_selector=ours, _request_timeout=ANSWER))
        return list(found.items)

    def _pods(self, job: str, namespace: str, within: int) -> list[V1Pod]:
        of_job = f"job-name={job}"
        found = self.core.list_namespaced_pod(namespace, label_selector=of_job, _request_timeout=within)
        return list(found.items)

    def owner(self) -> Mapping[str, str] | None:
        """What says that this process's own pod owns an object, which then goes with it; None where it is in no pod."""
        if not self.is_around:
            return None
        name = os.environ.get("HOSTNAME") or socket.gethostname()
        try:
            pod = asked(lambda: self.core.read_namespaced_pod(name, own_namespace(), _request_timeout=ANSWER))
        except EngineFailed:  # a pod on its host's network is not called as its host is
            return None
        return {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid}


def of_this_machine() -> dict[str, str]:
    """The label of jobs whose worker is on this machine."""
    return {MACHINE_LABEL: label(machine())}


@functools.cache
def cluster() -> Cluster:
    """The cluster that this process is in, or that its kubeconfig (``KUBECONFIG``) names.

    Raises:
        EngineFailed: there is none.
    """
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if is_around():
            config.load_incluster_config(client_configuration=settings)
            namespace = own_namespace()
        else:
            config.load_kube_config(client_configuration=settings)
            _, context = config.list_kube_config_contexts()
            namespace = context["context"].get("namespace", "default")
    except Exception as error:
        raise EngineFailed(f"no Kubernetes cluster is set up here ({first_line(error)})") from None
    settings.retries = False
    api = client.ApiClient(settings)
    _read_certificates(api, settings)
    return Cluster(client.BatchV1Api(api), client.CoreV1Api(api), namespace, is_around())


def _read_certificates(api: Any, settings: Any) -> None:
    """Read the certificates now: the client removes its copies of them before the last pods of this process go."""
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE)
    if settings.ssl_ca_cert:
        context.load_verify_locations(settings.ssl_ca_cert)
    else:
        context.load_default_certs()
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    files = dict.fromkeys(("ca_certs", "cert_file", "key_file"))
    api.rest_client.pool_manager.connection_pool_kw.update(ssl_context=context, **files)


@functools.cache
def swept(namespace: str) -> None:
    """Remove what lost processes left in a namespace; once a process."""
    cluster().sweep(namespace)


def is_around() -> bool:
    """Whether this process is in a pod that may ask the API."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (_TOKEN / "token").exists()


def own_namespace() -> str:
    """The namespace of this process's own pod."""
    return (_TOKEN / "namespace").read_text(encoding="utf-8").strip()


def _forget() -> None:
    cluster.cache_clear()
    swept.cache_clear()


if hasattr(os, "register_at_fork"):  # connections are their process's own
    os.register_at_fork(after_in_child=_forget)
