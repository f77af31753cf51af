"""A project with runtimes in a git repository, for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.notebooks import write_notebook


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_all(folder: Path, message: str = "work") -> str:
    """Commit all there is; gives the commit."""
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def write_repository(folder: Path, project: str) -> Path:
    """A repository with a notebook and a project file, committed."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    write_notebook(folder / "notebooks/train.ipynb", "print(1)")
    (folder / "nb_dagster.yaml").write_text(project, encoding="utf-8")
    commit_all(folder, "first")
    return folder
