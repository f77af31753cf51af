"""``nb_dagster.NotebookProject`` as a Dagster component: scaffolded, checked, listed and run by ``dg``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.projects import write_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PYPROJECT = """
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""
DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
DEFS = """
type: nb_dagster.NotebookProject

attributes:
  notebooks: notebooks
  workflows:
    ingest: {outs: [rows], schedule: "0 6 * * *", description: "rows of {{ env.SHOP }}"}
    train: {for_each: {n: [1, 2]}, after: {ingest: rows}}
    report:
      partitions: {every: daily, start: 2026-01-01, fills: {day: key}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster project with the component in it, as ``dg`` scaffolds it."""
    shop = tmp_path_factory.mktemp("shop")
    (shop / "src/shop/defs").mkdir(parents=True)
    (shop / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (shop / "src/shop/__init__.py").touch()
    (shop / "src/shop/definitions.py").write_text(DEFINITIONS, encoding="utf-8")
    done = dg(shop, "scaffold", "defs", "nb_dagster.NotebookProject", "reports")
    assert done.returncode == 0, done.stdout + done.stderr
    return shop


@pytest.fixture
def defs_file(shop: Path) -> Path:
    """The component's file, as a person fills it in."""
    reports = shop / "src/shop/defs/reports"
    write_project(shop / "notes", "")
    shutil.rmtree(reports / "notebooks", ignore_errors=True)
    shutil.move(shop / "notes/notebooks", reports)
    (reports / "defs.yaml").write_text(DEFS, encoding="utf-8")
    return reports / "defs.yaml"


def dg(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    paths = os.pathsep.join([str(folder / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": paths, "SHOP": "Corner", "DAGSTER_DISABLE_TELEMETRY": "yes"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_dg_lists_it_with_its_description(shop: Path) -> None:
    assert "Notebooks on Dagster" in dg(shop, "list", "components", "--json", "--package", "nb_dagster").stdout


def test_dg_lists_what_it_defines(shop: Path, defs_file: Path) -> None:
    checks = dg(shop, "check", "yaml"), dg(shop, "check", "defs")
    assert [each.returncode for each in checks] == [0, 0], checks
    found = json.loads(dg(shop, "list", "defs", "--json").stdout)
    assets = {each["asset_key"]: each for each in found["assets"]}
    assert set(assets) == {"ingest", "train_1", "train_2", "report"}
    assert assets["ingest"]["description"] == "rows of Corner"
    assert assets["train_1"]["dependency_keys"] == ["ingest"]
    assert [each["name"] for each in found["schedules"]] == ["ingest_schedule"]


def test_dg_launches_it(shop: Path, defs_file: Path) -> None:
    done = dg(shop, "launch", "--assets", "ingest")
    assert done.returncode == 0, done.stderr
    assert "RUN_SUCCESS" in done.stdout + done.stderr


def test_dg_refuses_an_unknown_key_at_its_line(shop: Path, defs_file: Path) -> None:
    defs_file.write_text(DEFS.replace("outs: [rows], ", "owts: [rows], "), encoding="utf-8")
    done = dg(shop, "check", "yaml")
    assert done.returncode == 1
    assert "defs.yaml:7 - nb_dagster.NotebookProject attributes.workflows.ingest.owts" in done.stdout + done.stderr


def test_what_only_the_notebooks_tell_is_refused_with_its_line_and_key(shop: Path, defs_file: Path) -> None:
    defs_file.write_text(DEFS.replace("fills: {day", "fills: {dya"), encoding="utf-8")
    done = dg(shop, "check", "defs")
    assert done.returncode == 1
    assert "defs.yaml:10:53: attributes.workflows.report.partitions.fills" in done.stdout + done.stderr
    assert "there is no parameter 'dya'; did you mean 'day'?" in done.stdout + done.stderr


def test_the_line_is_that_of_its_document(shop: Path, defs_file: Path) -> None:
    other = (
        "type: nb_dagster.NotebookProject\nattributes: {notebooks: notebooks, workflows: {split: {params: {row: 1}}}}\n"
    )
    defs_file.write_text(f"{DEFS}---\n{other}", encoding="utf-8")
    done = dg(shop, "check", "defs")
    assert done.returncode == 1
    assert "defs.yaml:13:65: attributes.workflows.split.params.row" in done.stdout + done.stderr
