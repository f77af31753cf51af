"""The commit of a notebook, and whether it says all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nb_dagster.notebook.commit import commit_of


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "a.ipynb").write_text("{}")
    (tmp_path / "helper.py").write_text("x = 1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "-m", "first")
    _git(tmp_path, "tag", "v1")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    commit = commit_of(str(repository / "a.ipynb"))
    assert commit is not None
    assert (commit.sha, commit.is_dirty) == (_git(repository, "rev-parse", "HEAD"), False)


def test_another_file_that_is_changed_makes_it_dirty(repository: Path) -> None:
    (repository / "helper.py").write_text("x = 2")
    commit = commit_of(str(repository / "a.ipynb"))
    assert commit is not None
    assert (commit.sha, commit.is_dirty) == (_git(repository, "rev-parse", "HEAD"), True)


def test_so_does_a_notebook_that_git_does_not_know(repository: Path) -> None:
    (repository / "new.ipynb").write_text("{}")
    new, old = commit_of(str(repository / "new.ipynb")), commit_of(str(repository / "a.ipynb"))
    assert new is not None
    assert old is not None
    assert (new.is_dirty, old.is_dirty) == (True, False)


@pytest.mark.parametrize("path", ["elsewhere/a.ipynb", "s3://bucket/a.ipynb"])
def test_outside_of_a_repository_there_is_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert commit_of(path if "://" in path else str(tmp_path / path)) is None


def test_before_the_first_commit_there_is_none(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    assert commit_of(str(tmp_path / "a.ipynb")) is None
