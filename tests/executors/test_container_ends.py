"""The death matrix in containers: every way to end tells the truth, and no container is left."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import containers
from tests.executors.ends import ENDS, End
from tests.executors.remote_ends import Ended, run_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

KINDS = [
    ("docker", "threads"),
    ("docker-kernel", "threads"),
    ("docker-kernel", "in_process"),
    pytest.param(("docker", "processes"), marks=pytest.mark.soak),  # what "docker" is there: docker-kernel
]


@pytest.fixture(scope="module")
def engine() -> Any:
    return containers.engine()


@pytest.fixture(scope="module", params=KINDS, ids=" under ".join)
def ended(request: pytest.FixtureRequest, engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """One run of all of them, in containers of a kind, under an executor."""
    isolation, executor = request.param
    with run_all(tmp_path_factory.mktemp("ends"), isolation, executor, containers.compute) as ended:
        yield ended


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_it_tells_the_truth(ended: Ended, end: End) -> None:
    ended.assert_it_tells_the_truth(end)


def test_no_container_is_left(ended: Ended, engine: Any) -> None:
    assert containers.left(engine, f"dagster/run_id={ended.run.run_id}") == []
    assert containers.left(engine, f"nb_dagster.run_id={ended.run.run_id}") == []
