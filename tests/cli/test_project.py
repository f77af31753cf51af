"""``nb-dagster init``, and what the program says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nb_dagster as nbd
from tests.cli.command import as_json, environment, nb_dagster


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init")
    done = nb_dagster("init", "my-project", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "my-project is ready" in done.stdout
    return folder / "my-project"


def test_a_new_project_has_a_notebook_definitions_and_a_workspace(project: Path) -> None:
    names = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert names >= {"README.md", ".gitignore", "definitions.py", "workspace.yaml", "notebooks/welcome.ipynb"}
    assert "my_project" in (project / "workspace.yaml").read_text(encoding="utf-8")


def test_its_definitions_load_without_a_warning(project: Path) -> None:
    check = "import warnings; warnings.simplefilter('error')\nimport definitions\nprint(sorted(map(str, definitions.defs.resolve_all_asset_keys())))"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "welcome" in done.stdout


def test_its_notebook_runs_as_a_file(project: Path) -> None:
    result = as_json(nb_dagster("run", "notebooks/welcome.ipynb", "-p", "who=you", "--json", cwd=project))
    assert result["status"] == "succeeded"
    assert "you" in str(result["outputs"])


def test_its_notebook_runs_as_a_workflow_of_the_workspace(project: Path) -> None:
    result = as_json(nb_dagster("run", "welcome", "-p", "who=me", "--json", cwd=project))
    assert (result["status"], result["workflow"]) == ("succeeded", "welcome")
    assert "me" in str(result["outputs"])


def test_an_empty_folder_that_exists_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert nb_dagster("init", "empty", cwd=tmp_path).returncode == 0
    assert (tmp_path / "empty/definitions.py").is_file()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine", encoding="utf-8")
    done = nb_dagster("init", "full", cwd=tmp_path)
    assert done.returncode == 2
    assert "full exists and is not empty" in done.stderr
    assert os.listdir(tmp_path / "full") == ["mine.txt"]


def test_it_says_its_version(tmp_path: Path) -> None:
    assert nb_dagster("--version", cwd=tmp_path).stdout == f"nb-dagster {nbd.__version__}\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "nb-dagster init my_project"),
        (["run"], "nb-dagster run train.ipynb -p n=400 -p day=2026-01-31"),
        (["run"], "130  cancelled"),
        (["init"], "nb-dagster init my_project"),
    ],
)
def test_each_command_helps_with_an_example(tmp_path: Path, command: list[str], words: str) -> None:
    done = nb_dagster(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert words in done.stdout
