"""GPUs of a cluster: its scheduler counts them, and a notebook that waits for one says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests import pods
from tests.executors.deployment import make_home
from tests.executors.remote_jobs import RemoteJobs
from tests.notebooks import write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(300)]

PRODUCT = "NVIDIA-Test"
WAITS = """\
import pathlib, time
folder, name = pathlib.Path({folder!r}), nb.context.workflow
(folder / f'{{name}}.runs').touch()
while not (folder / f'{{name}}.go').exists(): time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module", autouse=True)
def two_gpus() -> Iterator[None]:
    """The cluster's node says that it has two GPUs, as NVIDIA's operator has it say."""
    core = pods.cluster().core
    (node,) = core.list_node().items
    name, places = node.metadata.name, [f"/status/{each}/nvidia.com~1gpu" for each in ("capacity", "allocatable")]
    core.patch_node_status(name, [{"op": "add", "path": each, "value": "2"} for each in places])
    core.patch_node(name, {"metadata": {"labels": {"nvidia.com/gpu.product": PRODUCT}}})
    try:
        wait_until(lambda: core.read_node(name).status.allocatable.get("nvidia.com/gpu") == "2", 60)
        yield
    finally:
        core.patch_node(name, {"metadata": {"labels": {"nvidia.com/gpu.product": None}}})
        core.patch_node_status(name, [{"op": "remove", "path": each} for each in places])


class Jobs(RemoteJobs):
    """Jobs in pods of one GPU each."""

    def __init__(self, folder: Path, namespace: str, instance: dg.DagsterInstance) -> None:
        super().__init__(folder, instance)
        self.namespace = namespace

    def compute(self, isolation: str, **more: Any) -> dict[str, Any]:
        volumes = [f"{self.folder}:{self.folder}"]
        return pods.compute(isolation, **{"namespace": self.namespace, "gpus": 1, **more}, volumes=volumes)

    def left(self) -> list[str]:
        return pods.left(self.namespace)

    def files(self, ending: str) -> set[str]:
        """The steps whose notebook has made a file."""
        return {each.stem for each in self.folder.glob(f"*.{ending}")}

    def waiting(self) -> set[str]:
        """The steps that have said they wait for a GPU."""
        entries = self.instance.all_logs(self.run.run_id) if self.instance.get_runs() else []
        words = re.compile("waiting for its pod: no node takes its pod: .*Insufficient nvidia.com/gpu")
        return {str(each.step_key) for each in entries if words.search(f"{each.message} {each.user_message}")}


@pytest.fixture
def jobs(tmp_path: Path, namespace: str) -> Iterator[Jobs]:
    make_home(tmp_path)
    write_notebook(tmp_path / "waits.ipynb", WAITS.format(folder=str(tmp_path)))
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        jobs = Jobs(tmp_path, namespace, instance)
        with jobs.ending():
            yield jobs


@pytest.mark.parametrize("isolation", ["k8s", "k8s-kernel"])
def test_of_three_on_two_gpus_one_waits_and_says_so_and_then_runs(jobs: Jobs, isolation: str) -> None:
    jobs.start("three", isolation, gpu_type=PRODUCT)
    wait_until(lambda: len(jobs.files("runs")) == 2 and bool(jobs.waiting()), 120)
    first, (last,) = jobs.files("runs"), jobs.waiting()
    assert first | {last} == {"a", "b", "c"}
    ended = first.pop()
    (jobs.folder / f"{ended}.go").touch()
    wait_until(lambda: last in jobs.files("runs"), 60)
    for each in (*first, last):
        (jobs.folder / f"{each}.go").touch()
    jobs.process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS, jobs.said()
    wait_until(lambda: jobs.left() == [], 30)


@pytest.mark.parametrize("isolation", ["k8s", "k8s-kernel"])
def test_a_gpu_of_a_type_that_no_node_has_is_waited_for_as_long_as_said(jobs: Jobs, isolation: str) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1")
    run = jobs.finish("fails", isolation, gpu_type="NVIDIA-Other", start_timeout=3)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "its pod did not run within 3 s: no node takes its pod: 0/1 nodes are available" in jobs.said()
    wait_until(lambda: jobs.left() == [], 30)
