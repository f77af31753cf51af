"""Containers of the tests: a real engine with a base image, and this environment mounted into it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.kernel.containers.engine import FOLDER_LABEL

ROOT = Path(__file__).parent.parent
IMAGE = os.environ.get("NB_DAGSTER_TEST_IMAGE", "pytest-base:py3.11")
"""An image with the interpreter that this environment was made from, at the same path."""

LACKING = [
    pytest.param("no-such", {}, "there is no kernel 'no-such' in the image (installed: ", id="kernel"),
    pytest.param(None, {"PATH": "/nowhere"}, "the image has no Python on its PATH", id="Python"),
    pytest.param(
        None,
        {"PATH": "/bin:/usr/bin:/usr/local/bin"},
        "the image has no ipykernel; add it to its packages",
        id="ipykernel",
    ),
]
"""A kernel's name, variables, and what is then said that an image lacks."""


def engine() -> Any:
    """A client of the engine; the test is skipped where there is none, or no image for it."""
    if importlib.util.find_spec("docker") is None:
        pytest.skip("the Docker SDK is not installed")
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except Exception as error:
        pytest.skip(f"no Docker engine answers ({error})")
    if not client.images.list(IMAGE):
        pytest.skip(f"the engine has no image {IMAGE}")
    return client


def compute(isolation: str, **more: Any) -> dict[str, Any]:
    """A compute whose containers have this environment and these sources."""
    environment = sys.prefix
    return {
        "isolation": isolation,
        "image": IMAGE,
        **more,
        "volumes": [f"{environment}:{environment}:ro", f"{ROOT}:{ROOT}:ro", *more.get("volumes", [])],
        "env": {
            "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            **more.get("env", {}),
        },
    }


def left(client: Any, label: str) -> list[str]:
    """Containers with a label, running or not; those of a cluster's pods on this engine, which have their labels, are none."""
    found = client.api.containers(all=True, filters={"label": label})
    return [each["Id"] for each in found if "io.kubernetes.pod.name" not in each["Labels"]]


def left_by(temp: Path) -> list[str]:
    """Containers made by processes whose temp folder this is."""
    found = engine().api.containers(all=True, filters={"label": FOLDER_LABEL})
    return [each["Id"] for each in found if each["Labels"][FOLDER_LABEL].startswith(str(temp))]
