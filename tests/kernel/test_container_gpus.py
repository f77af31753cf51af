"""GPUs of containers: the engine is asked for them, and one that has none says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nb_dagster import Compute
from nb_dagster.kernel.containers.engine import create, remove
from nb_dagster.kernel.containers.process import ContainerProcess
from nb_dagster.kernel.remote import EngineFailed

pytestmark = pytest.mark.docker


@pytest.fixture
def container(engine: Any, base_image: str) -> Any:
    made = create(base_image, ["/bin/true"], Compute("docker-kernel", image=base_image, gpus=2))
    yield made
    remove(engine, str(made.id))


def test_the_engine_is_asked_for_as_many_as_the_workflow_asks_for(container: Any) -> None:
    container.reload()
    (request,) = container.attrs["HostConfig"]["DeviceRequests"]
    assert (request["Count"], request["Capabilities"]) == (2, [["gpu"]])


def test_an_engine_without_any_says_what_is_missing(engine: Any, container: Any, tmp_path: Path) -> None:
    if "nvidia" in engine.info().get("Runtimes", {}):
        pytest.skip("this engine has the NVIDIA Container Toolkit")
    with pytest.raises(EngineFailed, match=r"the engine has no GPUs for containers.* NVIDIA Container Toolkit"):
        ContainerProcess(container, tmp_path)
