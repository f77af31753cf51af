"""The job of a run, as Dagster's launcher makes it from the settings of either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy import manifests

_OF_CHART = {  # what Dagster's chart calls it, and what Dagster does
    "containerConfig": "container_config",
    "podSpecConfig": "pod_spec_config",
    "podTemplateSpecMetadata": "pod_template_spec_metadata",
    "jobSpecConfig": "job_spec_config",
}


def of_manifests() -> dict[str, Any]:
    launcher = manifests.dagster_yaml(manifests.plain())["run_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_k8s", "K8sRunLauncher")
    config: dict[str, Any] = launcher["config"]
    return config


def of_chart() -> dict[str, Any]:
    said = manifests.values_of_chart()["dagster"]["runLauncher"]["config"]["k8sRunLauncher"]
    return {
        "instance_config_map": "notebooks-dagster-instance",
        "service_account_name": "nb-dagster-runs",
        "image_pull_policy": said["imagePullPolicy"],
        "resources": said["resources"],
        "run_k8s_config": {_OF_CHART[name]: value for name, value in said["runK8sConfig"].items()},
    }


@pytest.fixture(params=[of_manifests, of_chart])
def job(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from dagster._config import process_config
    from dagster_k8s import job as dagster_job
    from kubernetes.client import ApiClient

    of_dagster: Any = dagster_job  # it types only some of it
    settings: Callable[[], dict[str, Any]] = request.param
    monkeypatch.setenv("POD_NAMESPACE", "nb-dagster")
    checked = process_config(of_dagster.DagsterK8sJobConfig.config_type_run_launcher(), settings())
    assert checked.success, checked.errors
    config: Any = checked.value
    known = {name: config[name] for name in of_dagster.DagsterK8sJobConfig._fields if config.get(name) is not None}
    made = of_dagster.construct_dagster_k8s_job(
        of_dagster.DagsterK8sJobConfig(job_image="shop-app:v1.2", **known),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run-1",
        component="run_worker",
        user_defined_k8s_config=of_dagster.UserDefinedDagsterK8sConfig.from_dict(config["run_k8s_config"]),
    )
    plain: dict[str, Any] = ApiClient().sanitize_for_serialization(made)
    return plain


def test_the_api_takes_it(job: dict[str, Any]) -> None:
    manifests.validate(job)


def test_it_runs_without_privileges_within_limits_and_is_tried_once(job: dict[str, Any]) -> None:
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "nb-dagster-runs"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"]["limits"]["memory"]
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"]


def test_autoscalers_leave_it_where_it_is(job: dict[str, Any]) -> None:
    assert job["spec"]["template"]["metadata"]["annotations"] == {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
    }


def test_the_policies_of_the_network_know_it_by_its_labels(job: dict[str, Any]) -> None:
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "dagster"
    assert labels["app.kubernetes.io/component"] == "run_worker"


def test_no_password_is_in_it() -> None:
    storage = manifests.dagster_yaml(manifests.plain())["storage"]["postgres"]["postgres_db"]
    assert storage["password"] == {"env": "DAGSTER_PG_PASSWORD"}
    assert of_manifests()["postgres_password_secret"] == "nb-dagster-postgres"
