"""``nb-dagster runtime``, as far as it needs no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import as_json, nb_dagster
from tests.runtimes.repositories import commit_all, write_repository


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a runtime."""
    return write_repository(tmp_path, "name: shop\nnotebooks: notebooks\nruntimes: {train: {packages: [pandas]}}\n")


def test_generate_writes_what_a_builder_needs_and_the_same_each_time(project: Path) -> None:
    done = nb_dagster("runtime", "generate", "train", "--output", "out", "--json", cwd=project)
    assert as_json(done) == {"runtime": "train", "files": ["out/Dockerfile.train", "out/.dockerignore"]}
    before = {path.name: path.read_bytes() for path in (project / "out").iterdir()}
    assert nb_dagster("runtime", "generate", "train", "--output", "out", cwd=project).stdout == "out/Dockerfile.train\n"
    assert {path.name: path.read_bytes() for path in (project / "out").iterdir()} == before
    assert b"pandas" in before["Dockerfile.train"]
    assert b"**/.env\n" in before[".dockerignore"]


def test_a_dockerfile_that_somebody_wrote_stays(project: Path) -> None:
    (project / "Dockerfile.train").write_text("FROM mine\n", encoding="utf-8")
    done = nb_dagster("runtime", "generate", "train", cwd=project)
    assert (done.returncode, "Dockerfile.train was not written by nb-dagster" in done.stderr) == (2, True)
    assert (project / "Dockerfile.train").read_text(encoding="utf-8") == "FROM mine\n"


def test_check_finds_what_is_wrong_with_a_runtime(project: Path) -> None:
    (project / "nb_dagster.yaml").write_text("runtimes:\n  train:\n    packages: more.txt\n", encoding="utf-8")
    done = nb_dagster("check", cwd=project)
    assert done.returncode == 2
    assert "nb_dagster.yaml:3:5: runtimes.train.packages: more.txt cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("build", "trian"), "nb_dagster.yaml of commit"),
        (("build", "train", "--push"), "--push needs a registry: in the runtime 'train'"),
        (("build", "train", "--stash", "--working-tree"), "are three kinds of code; name one of them"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(project: Path, arguments: tuple[str, ...], said: str) -> None:
    done = nb_dagster("runtime", *arguments, cwd=project)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_a_project_file_that_is_not_committed_is_named(project: Path) -> None:
    (project / "nb_dagster.yaml").unlink()
    commit_all(project)
    done = nb_dagster("runtime", "build", "train", cwd=project)
    assert (done.returncode, "there is no nb_dagster.yaml in commit" in done.stderr) == (2, True), done.stderr


def test_an_engine_that_does_not_answer_is_infrastructure(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    done = nb_dagster("runtime", "build", "train", cwd=project)
    assert (done.returncode, "the Docker engine cannot be reached" in done.stderr) == (5, True), done.stderr
