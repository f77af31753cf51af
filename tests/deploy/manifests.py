"""What is applied to a cluster: the plain manifests, and what Helm makes of the chart."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
PLAIN = DEPLOY / "kubernetes"
CHART = DEPLOY / "helm/nb-dagster"
NEWEST = "1.37"
"""The version of Kubernetes against whose API everything is checked."""
OLDER = ("1.25", "1.29", "1.33")
"""Others, against which it is checked too."""
CLUSTER_WIDE = ("Namespace", "PriorityClass")

Object = dict[str, Any]


def read(*paths: Path) -> list[Object]:
    """The objects in YAML files."""
    return [each for path in paths for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def plain() -> list[Object]:
    """The plain manifests."""
    return read(*sorted((PLAIN / "base").glob("*.yaml")))


def kustomized(folder: Path = PLAIN) -> list[Object]:
    """What ``kubectl apply -k`` applies; the test is skipped where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def helm() -> Any:
    """Helm itself, as a library; the test is skipped where it is not installed."""
    return pytest.importorskip("helm_python", reason="Helm is not installed: pip install helm-python-sdk")


def example_values() -> dict[str, Any]:
    """The values that the chart's README starts from."""
    values: dict[str, Any] = yaml.safe_load((DEPLOY / "helm/example-values.yaml").read_text(encoding="utf-8"))
    return values


def rendered(**values: Any) -> list[Object]:
    """This chart's own objects, without those of Dagster's chart, which is fetched where there is a network.

    Args:
        **values: merged over the example's.
    """
    with helm().Chart.load(CHART) as chart:
        given = merged(example_values(), values)
        files = chart.render(given, name="notebooks", namespace="nb-dagster", is_install=True)
    own = {name: text for name, text in files.items() if name.startswith("nb-dagster/templates/")}
    return [
        each
        for name, text in sorted(own.items())
        if name.endswith(".yaml")
        for each in yaml.safe_load_all(text)
        if each
    ]


def values_of_chart() -> dict[str, Any]:
    """The chart's values with the example's, as an installation has them."""
    with helm().Chart.load(CHART) as chart:
        found: dict[str, Any] = chart.merge_values(example_values())
    return found


def merged(onto: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping over the other, as Helm does it."""
    result = dict(onto)
    for key, value in given.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def names(objects: list[Object], kind: str) -> set[str]:
    """The names of those of a kind."""
    return {each["metadata"]["name"] for each in of_kind(objects, kind)}


def pods(objects: list[Object]) -> dict[str, Object]:
    """The specs of pods, by the name of what makes them."""
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in _makers(objects)}


def pod_labels(objects: list[Object]) -> dict[str, dict[str, str]]:
    """The labels of pods, by the name of what makes them."""
    return {each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in _makers(objects)}


def _makers(objects: list[Object]) -> list[Object]:
    return of_kind(objects, "Deployment", "StatefulSet")


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Each container, with the name of what makes its pod."""
    for name, pod in pods(objects).items():
        for each in [*pod.get("initContainers", []), *pod["containers"]]:
            yield name, each


def dagster_yaml(objects: list[Object]) -> dict[str, Any]:
    """Dagster's settings in the plain manifests."""
    (settings,) = (each for each in of_kind(objects, "ConfigMap") if "dagster.yaml" in each["data"])
    read_settings: dict[str, Any] = yaml.safe_load(settings["data"]["dagster.yaml"])
    return read_settings


def validate(each: Object, version: str = NEWEST) -> None:
    """Check an object strictly against the API of a version."""
    import kubernetes_validate

    try:
        kubernetes_validate.validate(each, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{each['kind']} {each['metadata']['name']} in {version}: {error.message} at {list(error.path)}")
