"""``docs/project.md`` and the pages of its parts: each project in them is loaded, and each key is in it."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from nb_dagster import Compute, NotebookProject
from nb_dagster.project.check import problems_of
from nb_dagster.project.schema import Project, Workflow
from tests.environments import make_venv
from tests.notebooks import write_notebook
from tests.project.projects import definitions
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs/project.md"
PODS = ROOT / "docs/kubernetes.md"
PAGES = (PAGE, ROOT / "docs/containers.md", PODS, ROOT / "docs/environments.md")


@pytest.fixture(autouse=True)
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks that the page speaks of."""
    folder = tmp_path / "notebooks"
    write_notebook(folder / "ingest.ipynb", "nb.output('rows', [region])", parameters="region = 'us'")
    train = "nb.output('fit', [n, rate, rows])\nnb.check('no_nulls', True)"
    write_notebook(folder / "train.ipynb", train, parameters="n = 400\nrate = 0.1\nrows = None")
    write_notebook(folder / "benchmark.ipynb", "print(n)", parameters="n: int")
    write_notebook(
        folder / "split.ipynb", "nb.output('left', rows)\nnb.output('right', rows)", parameters="rows = None"
    )
    write_notebook(folder / "daily.ipynb", "print(day)", parameters="from datetime import date\nday: date = None")
    write_notebook(folder / "countries.ipynb", "print(country)", parameters="country: str")
    write_notebook(folder / "load.ipynb", "print(path)", parameters="from pathlib import Path\npath: Path")
    for name in ("summary", "hello"):
        write_notebook(folder / f"{name}.ipynb", "1")
    make_venv(tmp_path / ".venv-torch")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "yaml")])
def test_each_project_of_the_page_loads_and_nothing_is_wrong_with_it(tmp_path: Path, block: str) -> None:
    path = tmp_path / "nb_dagster.yaml"
    path.write_text(block, encoding="utf-8")
    assert definitions(path).get_repository_def().get_all_jobs()
    assert problems_of(NotebookProject.from_yaml(path).plan()) == []


def test_the_items_are_called_as_the_page_calls_them(tmp_path: Path) -> None:
    (block,) = (each for each in blocks(PAGE, "yaml") if "a grid:" in each)
    (tmp_path / "nb_dagster.yaml").write_text(block, encoding="utf-8")
    inputs = NotebookProject.from_yaml(".").plan().inputs
    assert inputs["benchmark_400"].waits == ["train_400_0_1", "train_400_0_2"]


def test_the_block_of_a_notebook_is_taken(notebooks: Path) -> None:
    (block,) = blocks(PAGE, "json")
    path = notebooks / "daily.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"] |= json.loads(block)["metadata"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert [each.name for each in definitions(notebooks).schedules or ()] == ["daily_schedule"]


def test_the_attributes_of_the_component_are_a_project() -> None:
    (block,) = blocks(PAGE, "yaml component")
    component = yaml.safe_load(block)
    assert component["type"] == "nb_dagster.NotebookProject"
    assert Project.model_validate(component["attributes"]).workflows


def test_every_key_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [key for key in (*Project.model_fields, *Workflow.model_fields) if f"`{key}`" not in page]


def test_every_key_of_a_pod_is_on_its_page() -> None:
    page = PODS.read_text(encoding="utf-8")
    of_others = {"isolation", "environment", "network"}
    assert not [each.name for each in fields(Compute) if each.name not in of_others and f"`{each.name}`" not in page]
