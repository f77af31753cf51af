"""Dagster's own daemon tells of a run that failed, and of one whose process was killed, once each."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nb_dagster.definitions.worker import Worker
from tests.integration.dagster_dev import DagsterDev, dagster_dev
from tests.notebooks import write_notebook
from tests.notifications.servers import Service, service

pytestmark = pytest.mark.slow

DEFINITIONS = """\
import dagster as dg
import nb_dagster as nbd

endless, failing = nbd.notebook_op("endless.ipynb"), nbd.notebook_op("failing.ipynb")
defs = dg.Definitions(
    jobs=[nbd.notebook_job("killed_one", [endless]), nbd.notebook_job("failed_one", [failing])],
    sensors=[nbd.notification_sensor(nbd.Notify(["env:HOOK"]))],
    resources=nbd.resources(),
)
"""
WORKSPACE = "load_from: [{python_file: {relative_path: definitions.py, location_name: example_project}}]\n"
TOLD_IN = 120.0
"""Seconds: the sensor looks every 30."""


@pytest.fixture
def hook() -> Iterator[Service]:
    with service() as started:
        yield started


@pytest.fixture
def dev(tmp_path: Path, hook: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterDev]:
    project, home = tmp_path / "project", tmp_path / "home"
    write_notebook(project / "endless.ipynb", "print('before', flush=True)\nimport time; time.sleep(600)")
    write_notebook(project / "failing.ipynb", "raise ValueError('boom')")
    (project / "definitions.py").write_text(DEFINITIONS)
    (project / "workspace.yaml").write_text(WORKSPACE)
    home.mkdir()
    monkeypatch.setenv("HOOK", hook.url)
    with dagster_dev(project, home) as started:
        wait(lambda: ticks(started) > 0)  # what ends before its first look, nobody is told of
        yield started


def test_a_failed_and_a_killed_run_are_told_once(dev: DagsterDev, hook: Service) -> None:
    failed, killed = dev.run("failed_one"), dev.launch("killed_one")
    wait(lambda: '"before' in journal(dev))
    (worker,) = re.findall(r'"worker": "([^"]+)"', journal(dev))
    os.kill(Worker.parse(worker).pid, signal.SIGKILL)
    wait(lambda: len(hook.taken) == 2)
    seen = ticks(dev)
    wait(lambda: ticks(dev) > seen)
    assert sorted(hook.titles()) == ["endless was killed", "failing failed"]
    said = {body["title"]: body["message"] for body in hook.bodies()}
    assert f"run: {failed}" in said["failing failed"]
    assert "ValueError: boom" in said["failing failed"]
    assert f"run: {killed}" in said["endless was killed"]
    assert dev.status(killed) == "FAILURE"


def journal(dev: DagsterDev) -> str:
    """What is kept of a notebook while it runs."""
    return "".join(path.read_text() for path in dev.store.glob(".running/*.jsonl"))


def ticks(dev: DagsterDev) -> int:
    """How often the sensor has looked."""
    selector = {"repositoryLocationName": "example_project", "repositoryName": "__repository__"}
    answer = dev.query(
        "query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState {"
        " ticks { status } } } } }",
        s={**selector, "sensorName": "notifications"},
    )
    found = answer["sensorOrError"]["sensorState"]["ticks"]
    assert all(tick["status"] != "FAILURE" for tick in found)
    return sum(tick["status"] == "SKIPPED" for tick in found)


def wait(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + TOLD_IN
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.5)
