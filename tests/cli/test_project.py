"""``nb-dagster init``, and what the program says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import nb_dagster as nbd
from nb_dagster.definitions.names import dagster_name
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import Parameter
from nb_dagster.notebook.plain_yaml import parse_yaml
from nb_dagster.project.scaffold import Found, Scaffold
from tests.cli.command import as_json, environment, nb_dagster
from tests.notebooks import write_notebook


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


@pytest.mark.slow
def test_its_notebook_runs_as_a_file(project: Path) -> None:
    result = as_json(nb_dagster("run", "notebooks/welcome.ipynb", "-p", "who=you", "--json", cwd=project))
    assert result["status"] == "succeeded"
    assert "you" in str(result["outputs"])


@pytest.mark.slow
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


def existing(folder: Path) -> Path:
    """A folder of somebody's notebooks."""
    write_notebook(
        folder / "work/train.ipynb",
        "nb.output('rows', n)\nnb.check('no_nulls', True)\n%time nb.output('rows', n)",
        parameters="from datetime import date\nn: int = 400  # training set size\nday: date\nattempt = 1",
    )
    write_notebook(folder / "work/my report.ipynb", "print('fine')")
    write_notebook(folder / "work/old/train.ipynb", "print('old')")
    (folder / "work/old/broken.ipynb").write_text("{", encoding="utf-8")
    (folder / "work/helpers.py").write_text("parameters = 1", encoding="utf-8")
    return folder


PROJECT_FILE = """\
notebooks: work

workflows:
  my_report:
    notebook: my report.ipynb
  train:
    # params:
    #   n: 400  # int, training set size
    #   day:  # date, required
    # outs: ["rows"]
    # checks: ["no_nulls"]
  train_2:
    notebook: old/train.ipynb
"""


@pytest.mark.slow
def test_in_a_folder_of_notebooks_each_becomes_a_workflow_with_hints(tmp_path: Path) -> None:
    done = nb_dagster("init", cwd=existing(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "nb_dagster.yaml").read_text(encoding="utf-8").endswith(PROJECT_FILE)
    assert "no parameters cell: work/my report.ipynb, work/old/train.ipynb" in done.stdout
    assert "left out: work/old/broken.ipynb is no notebook" in done.stdout
    found = as_json(nb_dagster("check", "--json", cwd=tmp_path))
    assert [each["name"] for each in found["workflows"]] == ["my_report", "train", "train_2"]
    assert [each for each in found["problems"] if each["level"] == "error"] == []


@pytest.mark.slow
def test_its_hints_hold_when_they_are_taken(tmp_path: Path) -> None:
    nb_dagster("init", cwd=existing(tmp_path))
    path = tmp_path / "nb_dagster.yaml"
    taken = path.read_text(encoding="utf-8").replace("    # ", "    ").replace("    #   ", "      ")
    path.write_text(taken.replace("day:", "day: 2026-01-31"), encoding="utf-8")
    result = as_json(nb_dagster("run", "train", "--json", cwd=tmp_path))
    assert (result["status"], result["parameters"]) == ("succeeded", {"n": 400, "day": "2026-01-31", "attempt": 1})


def test_init_tells_machines_what_it_found(tmp_path: Path) -> None:
    found = as_json(nb_dagster("init", ".", "--json", cwd=existing(tmp_path)))
    train = found["workflows"][1]
    assert (train["notebook"], train["outs"], train["checks"]) == ("work/train.ipynb", ["rows"], ["no_nulls"])
    assert [each["name"] for each in train["parameters"]] == ["n", "day", "attempt"]
    assert len(found["left_out"]) == 1


@pytest.mark.slow
def test_init_changes_no_file_that_is_there(tmp_path: Path) -> None:
    existing(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert nb_dagster("init", cwd=tmp_path).returncode == 0
    again = nb_dagster("init", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (
        2,
        "nb-dagster: nb_dagster.yaml exists already; nb-dagster check says what is in it\n",
    )
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}.items()


def test_what_runs_have_left_becomes_no_workflow(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "1")
    assert nbd.run_notebook(source, output=tmp_path / "out.ipynb").ok
    found = as_json(nb_dagster("init", "--json", cwd=tmp_path))
    assert [each["name"] for each in found["workflows"]] == ["a"]
    assert found["left_out"] == ["out.ipynb is what a run has left"]


@settings(max_examples=50)
@given(text=st.text())
def test_no_comment_of_a_notebook_becomes_a_key_of_the_project(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    path = str(write_notebook(folder / "a.ipynb", "1", parameters="n = 1"))
    document = NotebookDocument.read(path)
    document.__dict__["parameters"] = {"n": Parameter("n", default=text, description=text)}
    scaffold = Scaffold(folder, [Found("a", document, [text], [text])], [])
    said = parse_yaml(scaffold.text, has_aliases=False).value
    assert said == {"name": dagster_name(folder.name), "notebooks": ".", "workflows": {"a": None}}


def test_it_says_its_version(tmp_path: Path) -> None:
    assert nb_dagster("--version", cwd=tmp_path).stdout == f"nb-dagster {nbd.__version__}\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "nb-dagster init my_project"),
        (["run"], "nb-dagster run train.ipynb -p n=400 -p day=2026-01-31"),
        (["run"], "130  cancelled"),
        (["init"], "nb-dagster init my_project"),
        (["check"], "nb-dagster check my_project/nb_dagster.yaml --json"),
    ],
)
def test_each_command_helps_with_an_example(tmp_path: Path, command: list[str], words: str) -> None:
    done = nb_dagster(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert words in done.stdout
