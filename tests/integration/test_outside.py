"""Dagster's own commands run notebooks, on a running Dagster and without one."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.integration.dagster_dev import DagsterDev
from tests.notebooks import cell_statuses, executed_notebooks, read, run_metadata

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORLD = "greeting = 'Hello, world! Hello, world! Hello, world!'"


def launch(dev: DagsterDev, *arguments: str) -> str:
    """Launch a run on the running Dagster, which goes on when the command has ended; returns its id."""
    run_id = str(uuid.uuid4())
    done = dev.command("job", "launch", "-w", "workspace.yaml", "--run-id", run_id, *arguments)
    assert done.returncode == 0, done.stderr
    return run_id


def shown(notebook: Path) -> list[str]:
    """What an executed notebook shows below its cells, as text."""
    outputs = [output for cell in read(notebook)["cells"] for output in cell.get("outputs", [])]
    return ["".join(output["data"]["text/plain"]) for output in outputs if output["output_type"] == "display_data"]


def executed_by(dev: DagsterDev, run_id: str) -> Path:
    """The welcome notebook as a run has executed it."""
    (notebook,) = (path for path in executed_notebooks(dev.store, "welcome") if run_metadata(path)["run_id"] == run_id)
    return notebook


def test_job_launch_runs_a_notebook_on_the_running_dagster(dev: DagsterDev) -> None:
    run_id = launch(dev, "-j", "welcome")
    assert dev.wait(run_id) == "SUCCESS"
    assert shown(executed_by(dev, run_id)) == [WORLD]


def test_job_launch_takes_parameters_as_run_config(dev: DagsterDev) -> None:
    config = {"ops": {"welcome": {"config": {"who": "Ada", "times": 2}}}}
    run_id = launch(dev, "-j", "welcome", "--config-json", json.dumps(config))
    assert dev.wait(run_id) == "SUCCESS"
    assert shown(executed_by(dev, run_id)) == ["greeting = 'Hello, Ada! Hello, Ada!'"]


def test_job_launch_refuses_a_parameter_of_another_type(dev: DagsterDev) -> None:
    config = {"ops": {"welcome": {"config": {"times": "often"}}}}
    run_id = str(uuid.uuid4())
    arguments = ["-w", "workspace.yaml", "-j", "welcome", "--run-id", run_id, "--config-json", json.dumps(config)]
    refused = dev.command("job", "launch", *arguments)
    assert refused.returncode != 0
    assert 'Value "often"' in refused.stderr
    assert "times" in refused.stderr
    assert dev.status(run_id) == ""


def test_job_execute_runs_a_notebook_here_and_now(dev: DagsterDev) -> None:
    before = set(executed_notebooks(dev.store, "welcome"))
    done = dev.command("job", "execute", "-m", "example_project.definitions", "-j", "welcome")
    assert done.returncode == 0, done.stderr
    (notebook,) = set(executed_notebooks(dev.store, "welcome")) - before
    assert shown(notebook) == [WORLD]
    assert dev.status(run_metadata(notebook)["run_id"]) == "SUCCESS"  # it is in the running Dagster's history


def test_asset_materialize_runs_the_notebook_of_an_asset(dev: DagsterDev) -> None:
    config = {"ops": {"ingest__notebook": {"config": {"flaky": False}}}}
    arguments = ["-m", "example_project.definitions", "--select", "ingest", "--config-json", json.dumps(config)]
    done = dev.command("asset", "materialize", *arguments)
    assert done.returncode == 0, done.stderr
    (notebook,) = executed_notebooks(dev.store, "ingest")
    said = run_metadata(notebook)
    assert said["status"] == "succeeded"
    assert said["parameters"]["flaky"] is False
    assert "ten_digits: passed" in shown(notebook)
    assert set(cell_statuses(notebook)) == {"succeeded"}
    found = dev.query(
        """{ assetOrError(assetKey: {path: ["ingest"]}) { ... on Asset {
             assetMaterializations(limit: 1) { runId metadataEntries { label } } } } }"""
    )["assetOrError"]["assetMaterializations"]
    assert [each["runId"] for each in found] == [said["run_id"]]
    assert "executed_notebook" in {entry["label"] for entry in found[0]["metadataEntries"]}
