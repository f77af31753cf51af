"""The example project in a folder of its own, Dagster running on it, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browsing import browser, page
from tests.integration.dagster_dev import DagsterDev, dagster_dev

__all__ = ["browser", "dev", "page", "project"]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example project, as somebody would start with; a module may add to it."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(
        ROOT / "example_project", folder / "example_project", ignore=shutil.ignore_patterns("__pycache__", ".*")
    )
    shutil.copy(ROOT / "workspace.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def dev(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """``dagster dev`` on that project."""
    with dagster_dev(project, tmp_path_factory.mktemp("dagster_home")) as running:
        yield running
