"""The Docker engine that tests use, and an image of Python to start from; without them a test skips, and says why."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

BASES = ("pytest-base:py3.11", "python:3.12-slim")
"""Images with Python and pip that a machine may have; none is pulled."""
LABEL = "nb_dagster.tests"
"""What every image of a test has, from the one it starts from."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A client of the Docker engine."""
    docker = pytest.importorskip("docker", reason="the Docker SDK is not installed: pip install 'nb_dagster[docker]'")
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(engine: Any) -> str:
    """The name of an image whose Python any user may run; it stays, and with it what is cached of builds on it."""
    found = next((name for name in BASES if engine.images.list(name=name)), None)
    if found is None:
        pytest.skip(f"no image to start from: docker pull {BASES[-1]}")
    text = f"FROM {found}\nLABEL {LABEL}=yes\nRUN chmod 755 /root\n"  # an interpreter may be in root's home
    name = f"nb-dagster-tests:{found.rsplit(':', 1)[-1]}"
    engine.images.build(fileobj=io.BytesIO(text.encode()), tag=name, rm=True, forcerm=True)
    return name
