"""The chart, by Helm itself: what it refuses, and what it sets Dagster's chart up for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy import manifests


def test_helm_finds_nothing_to_complain_about() -> None:
    report = manifests.helm().lint(manifests.CHART, manifests.example_values())
    assert report["errors"] == []
    said = [each["error"] for each in report["messages"] if each["severity"] > 1]
    assert [each for each in said if "missing these dependencies: dagster" not in each] == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pagse": {}}, "'pagse' not allowed"),
        ({"pages": {"imgae": "shop:1"}}, "'imgae' not allowed"),
        ({"pages": {"image": "shop"}}, "/pages/image"),
        ({"pages": {"image": ""}}, "pages.image is your project's image with its tag"),
        ({"data": {"accessModes": ["Many"]}}, "/data/accessModes"),
        ({"networkPolicy": {"enabled": "no"}}, "/networkPolicy/enabled"),
        ({"dagster": {"postgresql": {"postgresqlHost": ""}}}, "postgresqlHost is the host of your PostgreSQL"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(values: dict[str, Any], words: str) -> None:
    with pytest.raises(manifests.helm().HelmError, match=words):
        manifests.rendered(**values)


def test_pages_of_a_store_by_url_need_no_claim() -> None:
    objects = manifests.rendered(
        pages={"store": "s3://bucket/notebooks", "envSecrets": ["keys"]}, data={"create": False}
    )
    pod = manifests.pods(objects)["nb-dagster-pages"]
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    assert {"secretRef": {"name": "keys"}} in pod["containers"][0]["envFrom"]
    assert manifests.names(objects, "PersistentVolumeClaim") == set()


def test_an_ingress_controller_is_let_in_where_it_is_said() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    objects = manifests.rendered(networkPolicy={"webFrom": [peer]})
    let_in = {each["metadata"]["name"]: each["spec"] for each in manifests.of_kind(objects, "NetworkPolicy")}
    for name in ("nb-dagster-web", "nb-dagster-pages"):
        assert let_in[name]["ingress"] == [{"from": [peer]}]


def test_no_password_is_among_its_values() -> None:
    values = manifests.values_of_chart()
    assert values["dagster"]["generatePostgresqlPasswordSecret"] is False
    assert values["global"]["postgresqlSecretName"] == "nb-dagster-postgres"
    assert "postgresqlPassword" not in values["dagster"]["postgresql"]


def test_dagsters_chart_is_given_accounts_and_settings_that_are_there() -> None:
    values, objects = manifests.values_of_chart()["dagster"], manifests.rendered()
    accounts = manifests.names(objects, "ServiceAccount")
    for each in (values["serviceAccount"], values["dagster-user-deployments"]["serviceAccount"]):
        assert each["create"] is False
        assert each["name"] in accounts
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    assert {each["name"] for each in launcher["envConfigMaps"]} <= manifests.names(objects, "ConfigMap")
    claims = manifests.names(objects, "PersistentVolumeClaim")
    (code,) = values["dagster-user-deployments"]["deployments"]
    for each in (values["dagsterWebserver"], values["dagsterDaemon"], code):
        assert {volume["persistentVolumeClaim"]["claimName"] for volume in each["volumes"]} <= claims
    assert "volumes" not in launcher  # those of the code location are the run's; a second of one name is refused
