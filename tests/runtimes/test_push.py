"""Images go to the registry of their runtime, with the credentials that Docker has."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.runtimes.image import PROJECT
from tests.cli.command import as_json, nb_dagster
from tests.runtimes.registry import CREDENTIALS, Registry, registry
from tests.runtimes.repositories import write_repository

pytestmark = pytest.mark.docker


@pytest.fixture
def server() -> Iterator[Registry]:
    with registry() as server:
        yield server


@pytest.fixture
def project(engine: Any, server: Registry, tmp_path: Path) -> Iterator[Path]:
    """A project whose runtime is its code and nothing else."""
    name = f"t{uuid.uuid4().hex[:10]}"
    runtime = f"{{template: own.j2, registry: '{server.address}/team'}}"
    (tmp_path / "own.j2").write_text("FROM scratch\nCOPY . /app\n", encoding="utf-8")
    yield write_repository(tmp_path, f"name: {name}\nnotebooks: notebooks\nruntimes: {{small: {runtime}}}\n")
    for image in engine.images.list(filters={"label": f"{PROJECT}={name}"}):
        engine.images.remove(image.id, force=True)


def test_an_image_is_pushed_with_the_credentials_of_docker(
    project: Path, server: Registry, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path_factory.mktemp("docker")
    (settings / "config.json").write_text(json.dumps({"auths": {server.address: {"auth": CREDENTIALS}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(settings))
    done = nb_dagster("runtime", "build", "small", "--push", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    tag = as_json(done)["tag"]
    assert tag.startswith(f"{server.address}/team/t")
    assert [f"{server.address}/{name}" for name in server.manifests] == [tag]


def test_a_registry_that_refuses_is_infrastructure(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("docker")))
    done = nb_dagster("runtime", "build", "small", "--push", cwd=project)
    assert (done.returncode, "was not pushed" in done.stderr) == (5, True), done.stderr
