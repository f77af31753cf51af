"""The death matrix in pods: every way to end tells the truth, and no job or pod is left."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests import pods
from tests.executors.ends import ENDS, End
from tests.executors.remote_ends import Ended, run_all
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(600)]

KINDS = [
    ("k8s", "threads"),
    ("k8s-kernel", "threads"),
    pytest.param(("k8s", "processes"), marks=pytest.mark.soak),  # what "k8s" is where steps are processes: k8s-kernel
]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module", params=KINDS, ids=" under ".join)
def ended(request: pytest.FixtureRequest, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """One run of all of them, in pods of a kind, under an executor."""
    isolation, executor = request.param
    folder = tmp_path_factory.mktemp("ends")
    compute = partial(pods.compute, namespace=namespace, volumes=[f"{folder}:{folder}"])
    with run_all(folder, isolation, executor, compute) as ended:
        yield ended


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_it_tells_the_truth(ended: Ended, end: End) -> None:
    ended.assert_it_tells_the_truth(end)


@pytest.mark.usefixtures("ended")
def test_no_job_or_pod_is_left(namespace: str) -> None:
    wait_until(lambda: pods.left(namespace) == [], 30)
