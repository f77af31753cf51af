"""Dagster's own daemon runs a project by a file that arrives and by an upstream, once, and tells of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.dagster_dev import LOCATION, DagsterDev, dagster_dev
from tests.notebooks import write_notebook
from tests.notifications.servers import Service, service
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PROJECT = """
name: shop
notifications: {targets: {team: env:HOOK}}
defaults: {notify: {success: [team]}}
workflows:
  load: {outs: [rows], trigger: {files: "incoming/*.csv", fills: path, settle: 5}}
  summary: {after: {load: rows}, trigger: {upstream: [load]}}
"""
WORKSPACE = f"load_from: [{{python_module: {{module_name: nb_dagster.project.here, location_name: {LOCATION}}}}}]\n"
WITHIN = 300.0
"""Seconds: Dagster looks every 30 s, twice at a file, once for the upstream and once for the people who are told; and a
busy machine takes as long to start it and the runs."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service() as started:
        monkeypatch.setenv("HOOK", started.url)
        yield started


def test_a_file_and_an_upstream_start_runs_once_and_people_are_told(tmp_path: Path, hook: Service) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    write_notebook(
        project / "load.ipynb", "nb.output('rows', path.read_text())", parameters="from pathlib import Path\npath: Path"
    )
    write_notebook(project / "summary.ipynb", "nb.output('said', rows)", parameters="rows = None")
    (project / "nb_dagster.yaml").write_text(PROJECT)
    (project / "workspace.yaml").write_text(WORKSPACE)
    (project / "incoming").mkdir()
    home.mkdir()
    with dagster_dev(project, home) as dev:
        for sensor in ("shop_automation", "shop_notifications"):  # what was before their first look they leave alone
            wait_until(lambda sensor=sensor: ticks(dev, sensor) > 0, WITHIN)  # type: ignore[misc]
        (project / "incoming/a.csv").write_text("1,2")
        wait_until(lambda: sorted(hook.titles()) == ["load succeeded", "summary succeeded"], WITHIN)
        assert paths(dev) == [f"{project}/incoming/a.csv"]
    with dagster_dev(project, home) as dev:
        (project / "incoming/b.csv").write_text("3,4")
        wait_until(lambda: Counter(hook.titles()) == {"load succeeded": 2, "summary succeeded": 2}, WITHIN)
        assert sorted(paths(dev)) == [f"{project}/incoming/{name}.csv" for name in "ab"]


def paths(dev: DagsterDev) -> list[str]:
    """The paths that the runs of the files have been given."""
    answer = dev.query('{ runsOrError(filter: {pipelineName: "load"}) { ... on Runs { results { runConfig } } } }')
    return [run["runConfig"]["ops"]["load__notebook"]["config"]["path"] for run in answer["runsOrError"]["results"]]


def ticks(dev: DagsterDev, sensor: str) -> int:
    """How often a sensor has looked."""
    selector = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__", "sensorName": sensor}
    answer = dev.query(
        "query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState {"
        " status ticks { status } } } } }",
        s=selector,
    )
    state = answer["sensorOrError"]["sensorState"]
    assert state["status"] == "RUNNING"
    assert all(tick["status"] != "FAILURE" for tick in state["ticks"])
    return sum(tick["status"] in ("SKIPPED", "SUCCESS") for tick in state["ticks"])
