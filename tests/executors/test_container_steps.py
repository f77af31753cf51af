"""Steps in containers of their own: what they see, what they leave, and how they are stopped."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.definitions.worker import close_lost_runs
from nb_dagster.store.notebooks import NotebookStore
from tests import containers
from tests.executors.deployment import make_home
from tests.executors.in_containers import ContainerJobs
from tests.executors.remote_jobs import ENDLESS, PASSWORD
from tests.notebooks import printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

BOUND = 15
"""Seconds after which what was cancelled or lost is gone: five are promised, to a machine that runs no other tests."""


@pytest.fixture
def engine() -> Any:
    return containers.engine()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_home(tmp_path)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


@pytest.fixture
def jobs(folder: Path, engine: Any, instance: dg.DagsterInstance) -> Iterator[ContainerJobs]:
    jobs = ContainerJobs(folder, engine, instance)
    with jobs.ending():
        yield jobs


def test_steps_of_one_job_run_here_and_in_containers(jobs: ContainerJobs) -> None:
    write_notebook(
        jobs.folder / "where.ipynb", "import socket, os\nnb.output('where', [socket.gethostname(), os.getppid()])"
    )
    run = jobs.finish("mixed", "docker")
    assert run.status == dg.DagsterRunStatus.SUCCESS
    found = {}
    for path in stored_notebooks(jobs.instance, run.run_id):
        record = next(
            output["data"] for output in json.loads(Path(path).read_text())["cells"][-1]["outputs"] if "data" in output
        )
        found[run_metadata(path)["workflow"]] = record["application/vnd.nb-dagster.record+json"]["value"][0]
    assert found["here"] == socket.gethostname()
    assert len(set(found.values())) == 3, found
    assert jobs.left() == []


def test_a_secret_is_in_no_setting_of_the_container(jobs: ContainerJobs) -> None:
    write_notebook(jobs.folder / "secret.ipynb", "print(len(nb.secret('PASSWORD')))\nimport time; time.sleep(3)")
    process = jobs.start("secrets", "docker")
    seen: list[str] = []
    while process.poll() is None:
        seen += [
            json.dumps(jobs.engine.api.inspect_container(each["Id"]))
            for each in jobs.engine.api.containers(filters={"label": "dagster/job=secrets"})
        ]
        time.sleep(0.3)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS
    assert printed(jobs.executed()) == f"{len(PASSWORD)}\n"
    assert seen
    assert not [each for each in seen if PASSWORD in each]


@pytest.mark.parametrize("isolation", ["docker", "docker-kernel"])
def test_a_cancel_ends_the_container_and_keeps_the_notebook(jobs: ContainerJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "endless.ipynb", *ENDLESS)
    process = jobs.running("endless", isolation)
    jobs.cancel(process)
    wait_until(lambda: jobs.left() == [], BOUND)
    jobs.assert_cancelled(process)


@pytest.mark.parametrize("isolation", ["docker", "docker-kernel"])
def test_a_killed_worker_takes_its_containers_with_it(jobs: ContainerJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "endless.ipynb", *ENDLESS)
    process = jobs.running("endless", isolation)
    process.kill()
    process.wait()
    label = f"{'dagster/' if isolation == 'docker' else 'nb_dagster.'}run_id={jobs.run.run_id}"
    wait_until(lambda: jobs.engine.api.containers(filters={"label": label}) == [], BOUND)
    close_lost_runs(jobs.instance, NotebookStore(jobs.folder / "endless").recover())
    assert run_metadata(jobs.executed())["status"] == "killed"
    assert printed(jobs.executed()).startswith("before\n")
    assert jobs.run.status == dg.DagsterRunStatus.FAILURE


def test_a_container_that_is_removed_by_hand_is_told_and_its_notebook_kept(jobs: ContainerJobs) -> None:
    write_notebook(jobs.folder / "endless.ipynb", *ENDLESS)
    process = jobs.running("endless", "docker")
    (container,) = jobs.left()
    jobs.engine.containers.get(container).remove(force=True)
    process.wait(30)
    assert jobs.run.status == dg.DagsterRunStatus.FAILURE
    assert "was killed with its container by SIGKILL" in jobs.said()
    assert run_metadata(jobs.executed())["status"] == "killed"


def test_a_step_whose_container_was_removed_is_tried_again(jobs: ContainerJobs) -> None:
    write_notebook(
        jobs.folder / "endless.ipynb", ENDLESS[0], "if nb.context.attempt == 1: time.sleep(600)", "print('after')"
    )
    process = jobs.running("retried", "docker")
    (container,) = jobs.left()
    jobs.engine.containers.get(container).remove(force=True)
    process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS


@pytest.mark.parametrize("isolation", ["docker", "docker-kernel"])
def test_a_notebook_with_too_much_memory_is_told_from_one_that_was_killed(jobs: ContainerJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "print('before', flush=True)", "taken = bytearray(900_000_000)")
    run = jobs.finish("fails", isolation, memory="600m")
    assert run.status == dg.DagsterRunStatus.FAILURE
    said = run_metadata(jobs.executed())
    assert said["status"] == "killed"
    assert said["reason"].startswith("the kernel ran out of memory, and the system killed it")
    assert jobs.left() == []


def test_the_container_of_a_failed_step_stays_on_request(jobs: ContainerJobs) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1 / 0")
    run = jobs.finish("fails", "docker", keep_failed=True)
    try:
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert len(jobs.left()) == 1
    finally:
        for each in jobs.left():
            jobs.engine.containers.get(each).remove(force=True)


@pytest.mark.parametrize("isolation", ["docker", "docker-kernel"])
def test_an_image_that_is_not_there_is_named(jobs: ContainerJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1")
    run = jobs.finish("fails", isolation, image="no-such-image:1")
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "no-such-image:1" in jobs.said()
