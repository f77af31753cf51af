"""What is sent to the engine is the code and no more, and always the same bytes."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from nb_dagster.runtimes.checkout import Checkout, working_tree
from nb_dagster.runtimes.context import pack
from nb_dagster.runtimes.generated import write_dockerfile
from tests.runtimes.repositories import git, write_repository

SECRETS = [
    *(".env", ".env.production", "conf/prod.env", "deploy/tls.pem", "deploy/tls.key", "id_rsa", ".aws/credentials"),
    *(
        "credentials.json",
        "conf/credentials.yaml",
        "secrets/db.txt",
        "secrets.toml",
        ".netrc",
        ".pypirc",
        ".ssh/config",
    ),
]


def checkout(folder: Path) -> Checkout:
    return Checkout(folder, "the folder", "v1", None, is_dirty=True)


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path, encoding="utf-8")


def packed(code: Checkout, **given: list[str]) -> tuple[set[str], list[str]]:
    """The names in it, and what was left out."""
    with pack(code, "Dockerfile.a", "FROM b\n", **given) as context, tarfile.open(fileobj=context.file) as tar:
        return {*tar.getnames()} - {"Dockerfile.a", ".dockerignore"}, context.left_out


def key(folder: Path) -> str:
    with pack(checkout(folder), "Dockerfile.a", "FROM b\n") as context:
        return context.key


def test_files_that_are_named_like_secrets_stay_here_and_are_told(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "secrets.py", *SECRETS)
    names, left_out = packed(checkout(tmp_path))
    assert names == {"a.py", "secrets.py"}
    assert left_out == sorted(SECRETS)


def test_a_line_in_dockerignore_has_one_in_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, "certs/ca.pem", "certs/own.pem", "secrets/public.txt", "secrets/db.txt", "data/big.csv")
    (tmp_path / ".dockerignore").write_text("# ours\ndata\n!certs/ca.pem\n!secrets/public.txt\n", encoding="utf-8")
    names, left_out = packed(checkout(tmp_path))
    assert names == {"certs/ca.pem", "secrets/public.txt"}
    assert left_out == ["certs/own.pem", "secrets/db.txt"]


def test_a_line_less_in_the_dockerignore_that_we_wrote_has_no_secret_in(tmp_path: Path) -> None:
    write(tmp_path, "a.py", ".env")
    write_dockerfile(tmp_path, "a", "# Written by nb-dagster\n")
    path = tmp_path / ".dockerignore"
    path.write_text(path.read_text(encoding="utf-8").replace("**/.env\n", ""), encoding="utf-8")
    assert packed(checkout(tmp_path))[0] == {"a.py"}


def test_what_is_no_code_stays_here(tmp_path: Path) -> None:
    write(tmp_path, "a.py", ".git/config", ".venv/bin/python", "n/.ipynb_checkpoints/n.ipynb", "n/__pycache__/a.pyc")
    write(tmp_path, ".nb_dagster/history.db", "Dockerfile.other")
    assert packed(checkout(tmp_path))[0] == {"a.py"}


def test_files_of_packages_are_there_whatever_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "requirements.txt")
    (tmp_path / ".dockerignore").write_text("*\n", encoding="utf-8")
    assert packed(checkout(tmp_path), needed=["requirements.txt"])[0] == {"requirements.txt"}


def test_the_folder_is_what_git_knows_and_does_not_ignore(tmp_path: Path) -> None:
    write_repository(tmp_path, "name: shop\n")
    write(tmp_path, "new.py", "data/huge.csv", "gone.py")
    (tmp_path / ".gitignore").write_text("data\n", encoding="utf-8")
    git(tmp_path, "add", "gone.py")
    (tmp_path / "gone.py").unlink()
    with working_tree(tmp_path) as code:
        assert packed(code)[0] == {"nb_dagster.yaml", "notebooks/train.ipynb", "new.py"}


def test_a_link_stays_a_link_wherever_it_leads(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(tmp_path, "outside/password.txt", "code/a.py")
    (tmp_path / "code/link").symlink_to(outside)
    (tmp_path / "code/password").symlink_to(outside / "password.txt")
    with pack(checkout(tmp_path / "code"), "Dockerfile.a", "FROM b\n") as context:
        content = context.file.read()
    assert b"outside/password.txt\n" not in content
    names, _ = packed(checkout(tmp_path / "code"))
    assert names == {"a.py", "link", "password"}


def test_the_same_code_gives_the_same_key_whatever_its_times_and_modes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, "a.py", "b/c.py")
    os.utime(tmp_path / "two/a.py", (1, 1))
    (tmp_path / "two/a.py").chmod(0o600)
    assert key(tmp_path / "one") == key(tmp_path / "two")


@pytest.mark.parametrize("change", ["content", "name", "executable", "link"])
def test_other_code_gives_another_key(tmp_path: Path, change: str) -> None:
    write(tmp_path, "a.py", "b.py")
    before = key(tmp_path)
    if change == "content":
        (tmp_path / "a.py").write_text("other", encoding="utf-8")
    elif change == "name":
        (tmp_path / "a.py").rename(tmp_path / "c.py")
    elif change == "executable":
        (tmp_path / "a.py").chmod(0o755)
    else:
        (tmp_path / "a.py").unlink()
        (tmp_path / "a.py").symlink_to("b.py")
    assert key(tmp_path) != before
