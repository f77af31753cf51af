"""What is in containers goes on while the Docker engine is restarted, and is told where it did not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from tests.executors.deployment import make_home
from tests.executors.in_containers import ContainerJobs
from tests.executors.remote_jobs import ENDLESS
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook
from tests.own_engine import OwnEngine, own_engine
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

KINDS = ["docker", "docker-kernel"]


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    with own_engine() as engine:
        yield engine


@pytest.fixture
def jobs(tmp_path: Path, engine: OwnEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerJobs]:
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    make_home(tmp_path)
    with (
        dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance,
        closing(engine.client()) as client,
        (jobs := ContainerJobs(tmp_path, client, instance)).ending(),
    ):
        yield jobs


@pytest.mark.parametrize("isolation", KINDS)
def test_a_run_goes_on_while_the_engine_is_restarted_twice(
    jobs: ContainerJobs, engine: OwnEngine, isolation: str
) -> None:
    go = jobs.folder / "go"
    until_told = f"import pathlib\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)"
    write_notebook(jobs.folder / "endless.ipynb", ENDLESS[0], until_told, "1")
    process = jobs.running("endless", isolation)
    engine.stop(signal.SIGTERM)
    engine.start()
    engine.stop(signal.SIGKILL)
    go.touch()
    engine.start()
    process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS
    assert cell_statuses(jobs.executed()) == ["succeeded", "succeeded", "succeeded"]
    wait_until(lambda: jobs.left() == [], 30)


@pytest.mark.parametrize("isolation", [pytest.param("docker", marks=pytest.mark.soak), "docker-kernel"])
def test_a_container_that_ends_while_the_engine_is_away_is_told_and_its_notebook_kept(
    jobs: ContainerJobs, engine: OwnEngine, isolation: str
) -> None:
    write_notebook(jobs.folder / "endless.ipynb", *ENDLESS)
    process = jobs.running("endless", isolation)
    (container,) = jobs.left()
    first = jobs.engine.api.inspect_container(container)["State"]["Pid"]
    engine.stop(signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    engine.start()
    process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.FAILURE
    said = run_metadata(jobs.executed())
    assert said["status"] == "killed"
    assert cell_statuses(jobs.executed()) == ["succeeded", "killed", "not_run"]
    assert printed(jobs.executed()).startswith("before\n")
    wait_until(lambda: jobs.left() == [], 30)
