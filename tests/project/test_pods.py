"""Pods in a project file: what they cannot be is said with its place, and ``nb-dagster check`` needs no kernel of theirs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from nb_dagster import RunRefused
from nb_dagster.project.check import problems_of
from nb_dagster.project.project import NotebookProject
from tests.project.projects import assets_of, definitions, write_project

FILE = """\
workflows:
  train:
    compute:
      isolation: {isolation}
      image: train:1.4
      {said}
"""


def project(folder: Path, said: str, isolation: str = "k8s") -> Path:
    return write_project(folder, FILE.format(isolation=isolation, said=said))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "pod_spec: {containers: [{name: a, imagee: b}]}",
            "containers[0].imagee: there is no such key (did you mean image?)",
        ),
        (
            "container: {command: [sh]}",
            ":7:19: workflows.train.compute.container.command: it is what starts the kernel",
        ),
        ("pod_spec: {priority: high}", "pod_spec.priority: expected a whole number, found 'high'"),
        ("affinity: {nodeAfinity: {}}", "affinity.nodeAfinity: there is no such key (did you mean nodeAffinity?)"),
        ("tolerations: [{key: 1}]", "tolerations[0].key: expected text"),
        ('volumes: ["./data:/data"]', ":7:17: workflows.train.compute.volumes[0]: ./data:/data is seen from the"),
        ("name_space: a", ":7:7: workflows.train.compute.name_space: there is no such key; did you mean 'namespace'?"),
        ("ttl: soon", ":7:7: workflows.train.compute.ttl: expected a whole number, found the text 'soon'"),
        ("network: host", "workflows.train.compute: network is Docker's"),
    ],
)
@pytest.mark.parametrize("isolation", ["k8s", "k8s-kernel"])
def test_what_a_pod_cannot_be_is_said_with_its_place(tmp_path: Path, said: str, words: str, isolation: str) -> None:
    with pytest.raises(RunRefused) as refused:
        definitions(project(tmp_path, said, isolation))
    assert words in str(refused.value)


def test_its_op_says_to_dagsters_own_executor_what_pod_it_has(tmp_path: Path) -> None:
    import json

    path = project(tmp_path, "namespace: notebooks\n      gpus: 1\n      node_selector: {disk: ssd}")
    tags = assets_of(definitions(path))["train"].op.tags
    said = json.loads(tags["dagster-k8s/config"])
    assert said["pod_spec_config"]["nodeSelector"] == {"disk": "ssd"}
    assert said["container_config"]["resources"]["limits"] == {"nvidia.com/gpu": "1"}


def test_check_says_all_that_is_wrong_with_it(tmp_path: Path) -> None:
    said = 'pod_spec: {hostNetwork: "yes"}\n      container: {args: [a]}\n      volumes: [./a:/a]'
    found = problems_of(NotebookProject.from_yaml(project(tmp_path, said)).plan())
    assert [(each.line, each.level) for each in found] == [(7, "error"), (8, "error"), (9, "error")]


@pytest.mark.parametrize("isolation", ["k8s", "k8s-kernel"])
def test_check_asks_for_no_kernel_of_a_pod(tmp_path: Path, isolation: str) -> None:
    path = project(tmp_path, "cpus: 2\n    kernel: of-the-image", isolation)
    assert problems_of(NotebookProject.from_yaml(path).plan()) == []


def test_check_warns_where_the_client_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str, *more: Any) -> Any:
        return None if name == "dagster_k8s" else find_spec(name, *more)

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", found)
    (problem,) = problems_of(NotebookProject.from_yaml(project(tmp_path, "cpus: 2")).plan())
    assert (problem.level, problem.line) == ("warning", 5)
    assert "pip install 'nb_dagster[k8s]'" in problem.message
