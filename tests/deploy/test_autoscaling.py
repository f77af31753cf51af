"""The manifests of clusters that grow and shrink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import nb_dagster as nbd
from tests.deploy import manifests
from tests.notebooks import write_notebook

FOLDER = manifests.PLAIN / "autoscaling"


def test_the_spare_place_is_what_the_api_takes_and_gives_way_to_everything() -> None:
    spare = manifests.read(FOLDER / "spare.yaml")
    for each in spare:
        for version in (manifests.NEWEST, *manifests.OLDER):
            manifests.validate(each, version)
    (priority,) = manifests.of_kind(spare, "PriorityClass")
    assert priority["value"] == -10  # cluster-autoscaler adds no node for less
    (pod,) = manifests.pods(spare).values()
    assert pod["priorityClassName"] == priority["metadata"]["name"]
    assert pod["terminationGracePeriodSeconds"] == 0
    (container,) = pod["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]


def test_karpenters_nodes_have_a_most_an_idle_time_and_a_class_that_is_there() -> None:
    pool, nodes = manifests.read(FOLDER / "karpenter.yaml")  # by its structure: no schema of these kinds is here
    assert (pool["apiVersion"], pool["kind"]) == ("karpenter.sh/v1", "NodePool")
    assert (nodes["apiVersion"], nodes["kind"]) == ("karpenter.k8s.aws/v1", "EC2NodeClass")
    assert set(pool["spec"]) == {"limits", "disruption", "template"}
    assert pool["spec"]["disruption"] == {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}
    assert set(pool["spec"]["limits"]) == {"cpu", "memory"}
    reference = pool["spec"]["template"]["spec"]["nodeClassRef"]
    group, _, _ = nodes["apiVersion"].partition("/")
    assert reference == {"group": group, "kind": nodes["kind"], "name": nodes["metadata"]["name"]}


def test_what_the_nodes_are_tainted_with_the_spare_place_bears() -> None:
    (taint,) = template_of_nodes()["spec"]["taints"]
    (pod,) = manifests.pods(manifests.read(FOLDER / "spare.yaml")).values()
    (toleration,) = pod["tolerations"]
    assert (toleration["key"], toleration["effect"]) == (taint["key"], taint["effect"])


def test_the_project_of_the_docs_goes_to_these_nodes(tmp_path: Path) -> None:
    page = (manifests.DEPLOY.parent / "docs/autoscaling.md").read_text(encoding="utf-8")
    project = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "nb_dagster.yaml").write_text(project)
    write_notebook(tmp_path / "train.ipynb", "1")
    assert nbd.NotebookProject.from_yaml(tmp_path / "nb_dagster.yaml").build_defs().assets
    compute = yaml.safe_load(project)["workflows"]["train"]["compute"]
    nodes = template_of_nodes()
    assert compute["node_selector"].items() <= nodes["metadata"]["labels"].items()
    (taint,) = nodes["spec"]["taints"]
    (toleration,) = compute["tolerations"]
    assert (toleration["key"], toleration["effect"]) == (taint["key"], taint["effect"])


def template_of_nodes() -> dict[str, Any]:
    pool, _ = manifests.read(FOLDER / "karpenter.yaml")
    template: dict[str, Any] = pool["spec"]["template"]
    return template


@pytest.mark.parametrize("name", ["autoscalingGroups", "extraArgs"])
def test_the_settings_of_cluster_autoscaler_are_those_of_its_chart(name: str) -> None:
    (values,) = manifests.read(FOLDER / "cluster-autoscaler.yaml")
    assert set(values) == {"autoscalingGroups", "extraArgs"}
    found: Any = values[name]
    if name == "autoscalingGroups":
        assert [set(each) for each in found] == [{"name", "minSize", "maxSize"}]
    else:
        assert found["scale-down-unneeded-time"] == "10m"
