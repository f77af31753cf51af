"""A workflow of the project file names the environment that its kernel runs in."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from nb_dagster import NotebookProject, RunRefused
from nb_dagster.project.check import problems_of
from tests.definitions.dagster_runs import materialize
from tests.environments import OWN_VERSION, make_venv
from tests.notebooks import write_notebook
from tests.project.projects import assets_of, definitions

WHERE = "import os, toposort\nnb.output('seen', [toposort.__version__, os.environ.get('A'), os.environ.get('B')])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder, with two environments."""
    folder = tmp_path_factory.mktemp("project")
    write_notebook(folder / "train.ipynb", WHERE)
    make_venv(folder / ".venv-torch")
    make_venv(folder / ".venv-bare", has_packages=False)
    return folder


def project(folder: Path, text: str) -> Path:
    path = folder / "nb_dagster.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    return [str(each) for each in problems_of(NotebookProject.from_yaml(project(folder, text)).plan())]


def seen(folder: Path, text: str, tmp_path: Path) -> object:
    """What the workflow ``train`` finds around it."""
    (train,) = assets_of(definitions(project(folder, text))).values()
    return materialize(tmp_path / "store", train).result.output_for_node("train__notebook")["seen"]


def test_the_short_form_is_seen_from_the_project_file_and_joined_with_variables(folder: Path, tmp_path: Path) -> None:
    text = "defaults: {environment: {A: 1, B: 2}}\nworkflows: {train: {environment: venv:.venv-torch}}"
    assert seen(folder, text, tmp_path) == [OWN_VERSION, "1", "2"]


def test_the_long_form_stands_beside_variables(folder: Path, tmp_path: Path) -> None:
    text = "workflows: {train: {compute: {environment: venv:.venv-torch}, environment: {A: 1}}}"
    assert seen(folder, text, tmp_path) == [OWN_VERSION, "1", None]


def test_a_workflow_takes_another_environment_than_the_default(folder: Path, tmp_path: Path) -> None:
    text = "defaults: {environment: venv:.venv-torch}\nworkflows: {train: {environment: kernel:python3}}"
    assert seen(folder, text, tmp_path) == [version("toposort"), None, None]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("environment: torch", "environment is conda:NAME, venv:PATH or kernel:NAME, not 'torch'"),
        ("environment: [1]", "expected a mapping of keys to values, found [1]"),
        ("compute: {environment: torch}", "environment is conda:NAME, venv:PATH or kernel:NAME, not 'torch'"),
        (
            "environment: venv:a, compute: {environment: venv:b}",
            "workflows.train.environment: it is venv:a here, and venv:b in compute; say one of both",
        ),
        (
            "environment: venv:a, compute: {isolation: docker-kernel, image: a}",
            "compute: environment is for kernels without a container; with isolation docker-kernel the image has one",
        ),
        ("environment: kernel:a, kernel: b", "kernel is b, and environment is kernel:a; say one of both"),
    ],
)
def test_what_makes_no_sense_is_refused_where_the_file_is_read(folder: Path, said: str, message: str) -> None:
    with pytest.raises(RunRefused) as refused:
        definitions(project(folder, f"workflows: {{train: {{{said}}}}}"))
    assert message in str(refused.value)
    assert "nb_dagster.yaml:1:" in str(refused.value)


def test_check_names_the_environments_there_are(folder: Path) -> None:
    (problem,) = problems(folder, "workflows:\n  train:\n    environment: venv:.venv-trch")
    assert problem.startswith(f"{folder}/nb_dagster.yaml:3:")
    assert "workflows.train.environment: " in problem
    assert "there is no environment venv:" in problem
    assert "(those beside it: .venv-bare, .venv-torch)" in problem


def test_check_says_that_ipykernel_is_missing(folder: Path) -> None:
    (problem,) = problems(folder, "workflows: {train: {compute: {environment: venv:.venv-bare}}}")
    assert "workflows.train.compute.environment: " in problem
    assert f"has no ipykernel; install it: {folder}/.venv-bare/bin/python -m pip install ipykernel" in problem


def test_check_finds_nothing_wrong_with_an_environment_that_is_there(folder: Path) -> None:
    assert problems(folder, "workflows: {train: {environment: venv:.venv-torch}}") == []
