"""The manifests of Kubernetes and the chart's: what the API takes, and no more rights than are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import manifests
from tests.deploy.manifests import Object, names, of_kind, pods

SECRETS = {"nb-dagster-postgres", "nb-dagster-pages"}
"""What a user makes before; ``nb-dagster-notebooks`` need not be there."""
WAYS: dict[str, Callable[[], list[Object]]] = {
    "plain": manifests.plain,
    "kustomize": manifests.kustomized,
    "chart": manifests.rendered,
}


@pytest.fixture(params=WAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return WAYS[request.param]()


@pytest.mark.parametrize(
    "version", [manifests.NEWEST, *(pytest.param(each, marks=pytest.mark.slow) for each in manifests.OLDER)]
)
@pytest.mark.parametrize("way", ["plain", "chart"])
def test_every_object_is_what_the_api_takes(way: str, version: str) -> None:
    objects = WAYS[way]()
    assert len(objects) > 10
    for each in objects:
        manifests.validate(each, version)


def test_every_account_claim_and_setting_that_a_pod_names_is_there(objects: list[Object]) -> None:
    for name, pod in pods(objects).items():
        if "serviceAccountName" in pod:
            assert pod["serviceAccountName"] in names(objects, "ServiceAccount"), name
        for volume in pod.get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in names(objects, "ConfigMap"), name
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in names(objects, "PersistentVolumeClaim"), name


def test_every_volume_setting_and_secret_that_a_container_names_is_there(objects: list[Object]) -> None:
    for name, container in manifests.containers(objects):
        mounted = {volume["name"] for volume in pods(objects)[name].get("volumes", [])}
        mounted |= {"data"} if name == "nb-dagster-postgres" else set()  # of its claim templates
        assert {each["name"] for each in container["volumeMounts"]} <= mounted, name
        sources = container.get("envFrom", [])
        settings = {each["configMapRef"]["name"] for each in sources if "configMapRef" in each}
        assert settings <= names(objects, "ConfigMap"), name
        needed = [each["secretRef"] for each in sources if "secretRef" in each]
        needed += [each["valueFrom"].get("secretKeyRef", {}) for each in container["env"] if "valueFrom" in each]
        assert {each["name"] for each in needed if each and not each.get("optional")} <= SECRETS, name


def test_every_service_finds_the_port_of_a_pod(objects: list[Object]) -> None:
    labels = manifests.pod_labels(objects)
    for service in of_kind(objects, "Service"):
        wanted = service["spec"]["selector"].items()
        (maker,) = (name for name, has in labels.items() if wanted <= has.items())
        ports = {port["name"] for each in pods(objects)[maker]["containers"] for port in each["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_every_container_is_watched_limited_and_without_privileges(objects: list[Object]) -> None:
    for name, container in manifests.containers(objects):
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
        assert "memory" in container["resources"]["limits"], name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        image = container["image"]
        assert ":" in image, name
        assert not image.endswith(":latest"), name
    for name, pod in pods(objects).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_no_right_is_wider_than_a_namespace_or_reaches_a_secret(objects: list[Object]) -> None:
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding", "Secret")
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            said = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in said
            assert not {"secrets", "configmaps", "pods/exec", "pods/attach"} & set(rule["resources"])
            assert not {"update", "patch", "deletecollection", "impersonate", "escalate", "bind"} & set(rule["verbs"])
            assert "pods" not in rule["resources"] or "create" not in rule["verbs"]
    bound = {each["subjects"][0]["name"]: each["roleRef"]["name"] for each in of_kind(objects, "RoleBinding")}
    assert set(bound.values()) == names(objects, "Role")
    assert "nb-dagster-kernels" not in bound


def test_who_has_no_rights_gets_no_token(objects: list[Object]) -> None:
    bound = {each["subjects"][0]["name"] for each in of_kind(objects, "RoleBinding")}
    for name, pod in pods(objects).items():
        if pod.get("serviceAccountName") not in bound:
            assert pod["automountServiceAccountToken"] is False, name
    (kernels,) = (
        each for each in of_kind(objects, "ServiceAccount") if each["metadata"]["name"] == "nb-dagster-kernels"
    )
    assert kernels["automountServiceAccountToken"] is False


def test_nobody_comes_in_but_who_is_said_and_no_kernel_is(objects: list[Object]) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")}
    nobody = policies.pop("nb-dagster-nobody")
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress"]}
    kernel = {"app.kubernetes.io/managed-by": "nb_dagster", "app.kubernetes.io/component": "kernel"}
    run = {"app.kubernetes.io/part-of": "dagster", "app.kubernetes.io/component": "run_worker"}
    step = {**kernel, **run, "app.kubernetes.io/component": "step_worker"}
    assert not any(lets_in(policy, kernel) for policy in policies.values())
    notebooks = policies["nb-dagster-pods-of-notebooks"]
    assert lets_in(notebooks, run)
    assert selects(notebooks["podSelector"], kernel)
    assert selects(notebooks["podSelector"], step)
    assert not selects(notebooks["podSelector"], run)
    if database := policies.get("nb-dagster-postgres"):
        assert lets_in(database, run)
        assert lets_in(database, step)
        assert not lets_in(database, {"app.kubernetes.io/name": "nb-dagster", "app.kubernetes.io/component": "pages"})


def test_no_route_is_open(objects: list[Object]) -> None:
    assert not of_kind(objects, "Ingress")
    for service in of_kind(objects, "Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


def lets_in(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    peers = [peer for rule in policy.get("ingress", []) for peer in rule["from"]]
    return any(selects(peer["podSelector"], labels) for peer in peers)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of pods takes one, as Kubernetes has it."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )


def test_the_chart_with_a_database_of_its_own_lets_runs_to_it() -> None:
    (policy,) = (
        each
        for each in of_kind(manifests.rendered(dagster={"postgresql": {"enabled": True}}), "NetworkPolicy")
        if each["metadata"]["name"] == "nb-dagster-postgres"
    )
    manifests.validate(policy)
    assert lets_in(
        policy["spec"], {"app.kubernetes.io/part-of": "dagster", "app.kubernetes.io/component": "run_worker"}
    )


def test_kustomize_applies_the_same_objects_as_the_files() -> None:
    def known(objects: list[Object]) -> set[tuple[str, str]]:
        return {(each["kind"], each["metadata"]["name"]) for each in objects}

    built = manifests.kustomized()
    assert known(built) == known(manifests.plain())
    spaces = {each["metadata"].get("namespace") for each in built if each["kind"] not in manifests.CLUSTER_WIDE}
    assert spaces == {"nb-dagster"}


def test_the_overlay_of_the_docs_gives_runs_its_own_image(tmp_path: Path) -> None:
    page = (manifests.DEPLOY.parent / "docs/kubernetes-deployment.md").read_text(encoding="utf-8")
    block = next(each for each in page.split("```yaml\n")[1:] if "kind: Kustomization" in each).split("```")[0]
    overlay = tmp_path / "shop"
    overlay.mkdir()
    (tmp_path / "kubernetes").symlink_to(manifests.PLAIN)
    (overlay / "kustomization.yaml").write_text(block)
    built = manifests.kustomized(overlay)
    images = {name: each["image"] for name, each in manifests.containers(built)}
    assert "nb-dagster-postgres" not in images
    assert set(images.values()) == {"registry.example.com/shop-app:v1.2"}
    (code,) = pods(built)["nb-dagster-code"]["containers"]
    assert {"name": "DAGSTER_CURRENT_IMAGE", "value": "registry.example.com/shop-app:v1.2"} in code["env"]
    assert code["command"][-1] == "shop.definitions"
    (settings,) = (each for each in of_kind(built, "ConfigMap") if "DAGSTER_PG_HOST" in each["data"])
    assert settings["data"]["DAGSTER_PG_HOST"] == "db.example.com"
