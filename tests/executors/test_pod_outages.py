"""What is in pods goes on while the cluster's API, or a node's kubelet, is away; these tests stop those of a testbed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from tests import containers, k8s_testbed, pods
from tests.executors.deployment import make_home
from tests.executors.pod_jobs import PodJobs
from tests.executors.remote_jobs import ENDLESS
from tests.notebooks import cell_statuses, run_metadata, write_notebook

pytestmark = [pytest.mark.k8s, pytest.mark.slow, pytest.mark.timeout(400)]

KINDS = ["k8s", "k8s-kernel"]
BACK = 90
"""Seconds after which all is done that was put off."""
WAITS = """\
from pathlib import Path
print('before', flush=True)
import time
nb.metric('seen', 1)
while not Path({go!r}).exists(): time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as namespace:
        yield namespace


@pytest.fixture
def several(tmp_path: Path, namespace: str) -> Iterator[list[PodJobs]]:
    """Places for three jobs that run at once."""
    with ExitStack() as stack:
        several = []
        for name in ("first", "second", "third"):
            (tmp_path / name).mkdir()
            make_home(tmp_path / name)
            instance = stack.enter_context(dg.DagsterInstance.from_config(str(tmp_path / name / "home")))
            several.append(PodJobs(tmp_path / name, namespace, instance))
            stack.enter_context(several[-1].ending())
        yield several


def _run_until_told(several: list[PodJobs]) -> None:
    """Run a notebook as each kind that goes on until there is a file."""
    for jobs, isolation in zip(several, KINDS, strict=False):
        write_notebook(jobs.folder / "endless.ipynb", WAITS.format(go=str(jobs.folder / "go")), "print('after')")
        jobs.running("endless", isolation)


def _assert_they_succeed(several: list[PodJobs]) -> None:
    for jobs in several[: len(KINDS)]:
        (jobs.folder / "go").touch()
    for jobs in several[: len(KINDS)]:
        jobs.wait_for(dg.DagsterRunStatus.SUCCESS, 60)
        assert cell_statuses(jobs.executed()) == ["succeeded", "succeeded"]


def _assert_nothing_is_left(several: list[PodJobs]) -> None:
    for jobs in several:
        jobs.process.wait(BACK)
        jobs.settle(BACK)


def test_runs_go_on_while_the_api_is_away_and_others_wait_for_it(several: list[PodJobs]) -> None:
    late = several[-1]
    write_notebook(late.folder / "fails.ipynb", "1")
    _run_until_told(several)
    with k8s_testbed.without("kube-apiserver"):
        late.start("fails", "k8s-kernel")
        _assert_they_succeed(several)
    _assert_nothing_is_left(several)
    assert late.run.status == dg.DagsterRunStatus.SUCCESS


def test_runs_go_on_while_the_kubelet_is_away_and_one_whose_pod_died_is_told(several: list[PodJobs]) -> None:
    engine, lost = containers.engine(), several[-1]
    write_notebook(lost.folder / "endless.ipynb", *ENDLESS)
    lost.running("endless", "k8s-kernel")
    (pod,) = lost.alive()
    _run_until_told(several)
    with k8s_testbed.without("kubelet"):
        for each in engine.containers.list(filters={"label": f"io.kubernetes.pod.name={pod}"}):
            each.kill()
        _assert_they_succeed(several)
        lost.wait_for(dg.DagsterRunStatus.FAILURE, 60)
    said = run_metadata(lost.executed())
    assert said["status"] == "killed"
    assert "the connection to its pod is lost" in said["reason"]
    assert cell_statuses(lost.executed()) == ["succeeded", "killed", "not_run"]
    _assert_nothing_is_left(several)
