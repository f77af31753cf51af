"""The deployment by Docker Compose: it comes up, runs are containers of their own, and nothing of them is left."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from tests import containers
from tests.cli import command
from tests.deploy.compose import DEPLOY, PASSWORD, TOKEN, Deployed, compose_command, deployed
from tests.notebooks import executed_notebooks, read, run_metadata, write_notebook
from tests.runs.postgres import programs
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

PROJECT = f"""
notebooks: .
workflows:
  here: {{outs: [host]}}
  apart: {{after: {{here: host}}, outs: [where], compute: {{isolation: docker, image: "{containers.IMAGE}", memory: 1g}}}}
  deployed_endless: {{compute: {{isolation: docker, image: "{containers.IMAGE}"}}}}
pipelines: {{deployed_mixed: [here, apart]}}
"""
HOST = "import socket\nnb.output('{}', socket.gethostname())"


def config(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What Compose makes of the file."""
    return subprocess.run(
        [*compose_command(), "-f", "docker-compose.yaml", "config"],
        cwd=DEPLOY,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_takes_the_file() -> None:
    variables = {**os.environ, "POSTGRES_PASSWORD": "password", "NB_DAGSTER_PAGES_TOKEN": TOKEN}
    done = config(variables)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all("127.0.0.1" in port for port in published)
    for service in services.values():
        assert {"healthcheck", "restart", "mem_limit"} <= set(service)


def test_it_does_not_start_without_secrets() -> None:
    variables = {name: value for name, value in os.environ.items() if name != "POSTGRES_PASSWORD"}
    done = config(variables)
    assert done.returncode != 0
    assert ".env.example" in done.stderr


@pytest.fixture(scope="module")
def up() -> Iterator[Deployed]:
    containers.engine()
    with deployed(PROJECT) as up:
        write_notebook(up.folder / "project/here.ipynb", HOST.format("host"))
        write_notebook(up.folder / "project/apart.ipynb", HOST.format("where"), parameters="host = None")
        write_notebook(up.folder / "project/deployed_endless.ipynb", "print('before')", "import time; time.sleep(600)")
        up.compose("up", "--detach", "--no-build")
        wait_until(lambda: answers(f"{up.web}/server_info"), 150)
        yield up


@pytest.fixture
def engine(up: Deployed) -> Iterator[Any]:
    """The engine; after the test, it has nothing but the services."""
    client = containers.engine()
    services = len(up.containers(client))
    yield client
    wait_until(lambda: len(up.containers(client)) == services, 30)
    for label in ("job_name=deployed_mixed", "job=deployed_mixed", "job_name=deployed_endless", "job=deployed_endless"):
        assert containers.left(client, f"dagster/{label}") == []
    assert list((up.data / "tmp").glob("nbd-*")) == []


def test_a_run_has_a_container_and_a_step_of_it_another(up: Deployed, engine: Any) -> None:
    services = {each["Config"]["Hostname"] for each in up.containers(engine)}
    done = command.nb_dagster("launch", "deployed_mixed", "--watch", "--url", up.web, cwd=up.folder, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr + up.compose("logs", "--tail", "40")
    hosts = {}
    for workflow in ("here", "apart"):
        (path,) = executed_notebooks(up.data / ".nb_dagster/notebooks", workflow)
        assert run_metadata(path)["status"] == "succeeded"
        record = read(path)["cells"][-1]["outputs"][0]["data"]["application/vnd.nb-dagster.record+json"]
        hosts[workflow] = record["value"]
    assert len(set(hosts.values())) == 2
    assert services.isdisjoint(hosts.values())
    assert os.uname().nodename not in hosts.values()


def launch_endless(up: Deployed) -> str:
    """The id of a run whose step is under way in its container."""
    done = command.nb_dagster("launch", "deployed_endless", "--json", "--url", up.web, cwd=up.folder)
    journals = up.data / ".nb_dagster/notebooks/.running"
    wait_until(lambda: any("before" in each.read_text() for each in journals.glob("*.jsonl")), 120)
    run_id: str = command.as_json(done)["run_id"]
    return run_id


def ask(up: Deployed, query: str, run_id: str) -> str:
    """What kind of answer Dagster gives."""
    asked = {"query": query, "variables": {"id": run_id}}
    answer = requests.post(f"{up.web}/graphql", json=asked, timeout=90).json()
    (found,) = answer["data"].values()
    return str(found.get("status") or found["__typename"])


def test_a_cancel_ends_both_containers_and_keeps_the_notebook(up: Deployed, engine: Any) -> None:
    run_id = launch_endless(up)
    assert len(containers.left(engine, f"dagster/run_id={run_id}")) == 2
    cancel = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
    assert ask(up, cancel, run_id) == "TerminateRunSuccess"
    wait_until(lambda: containers.left(engine, f"dagster/run_id={run_id}") == [], 60)
    (path,) = executed_notebooks(up.data / ".nb_dagster/notebooks", "deployed_endless")
    assert run_metadata(path)["status"] == "cancelled"


def test_a_run_whose_container_is_killed_takes_its_step_along_and_is_failed(up: Deployed) -> None:
    engine = containers.engine()  # not the fixture: private folders of the killed go with the next run
    run_id = launch_endless(up)
    (run,) = containers.left(engine, "dagster/job_name=deployed_endless")
    (step,) = containers.left(engine, "dagster/job=deployed_endless")
    engine.api.kill(run)
    wait_until(lambda: not engine.api.inspect_container(step)["State"]["Running"], 10)
    engine.api.remove_container(step)
    status = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    wait_until(lambda: ask(up, status, run_id) == "FAILURE", 120)


def test_pages_ask_for_the_token(up: Deployed) -> None:
    assert requests.get(up.pages, timeout=10).status_code == 401
    assert requests.get(f"{up.pages}/?token={TOKEN}", timeout=10).status_code == 200


def test_the_history_is_saved_brought_back_and_migrated(up: Deployed) -> None:
    def in_postgres(*words: str) -> str:
        where = ("env", "PGHOST=127.0.0.1", f"PGPASSWORD={PASSWORD}")
        return up.compose("exec", "-T", "postgres", *where, f"{programs()}/{words[0]}", "-U", "dagster", *words[1:])

    count = ("-At", "-c", "SELECT count(*) FROM runs")
    in_postgres("pg_dump", "-f", "/tmp/history.sql", "dagster")
    in_postgres("psql", "-d", "dagster", "-c", "CREATE DATABASE restored")
    in_postgres("psql", "-q", "-d", "restored", "-f", "/tmp/history.sql")
    assert in_postgres("psql", "-d", "restored", *count) == in_postgres("psql", "-d", "dagster", *count)
    up.compose("run", "--rm", "code", "dagster", "instance", "migrate")


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
