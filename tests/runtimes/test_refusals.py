"""What is wrong with a runtime is said with file, line, column and key, before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb_dagster.errors import RunRefused
from nb_dagster.project.runtimes import ProjectRuntimes

WRONG = [
    ("packages: [pandas>>2]", "nb_dagster.yaml:4:16: runtimes.train.packages[0]: 'pandas>>2' is no Python package"),
    ("packages: [pandas, --pre]", "runtimes.train.packages[1]: '--pre' is no Python package"),
    ("packages: 3", "runtimes.train.packages: expected a list, found 3"),
    ("packages: setup.py", "'setup.py' is no list, and no file of packages: requirements.txt, uv.lock, pylock.toml"),
    ("packages: ['a @ https://u:p@b/a.whl']", "it has a password, which everybody who has the image could read"),
    (
        "package: [pandas]",
        "nb_dagster.yaml:4:5: runtimes.train.package: there is no such key; did you mean 'packages'?",
    ),
    ("python: 3.10", "runtimes.train.python: 3.1 is a number, and 3.10 would be 3.1; write it in quotes"),
    ("python: three", "'three' is no version of Python, such as '3.12'"),
    ("image: 'a b'", "runtimes.train.image: 'a b' is no name of an image, such as 'python:3.12-slim'"),
    ("gpu: 12.6", "version of CUDA"),
    ("gpu: 12.6.3\n    image: a", "runtimes.train: gpu: with a version names NVIDIA's image"),
    ("installer: conda", "runtimes.train.installer: expected 'uv' or 'pip', found the text 'conda'"),
    ("installer: pip\n    packages: uv.lock", "pip does not install uv.lock; leave installer: out, uv does"),
    ("installer: pip\n    gpu: true", "leave installer: out, uv brings Python too"),
    ("kernels: [julia]", "runtimes.train.kernels[0]: expected 'python', 'bash' or 'r', found the text 'julia'"),
    ("system: [git; rm]", "runtimes.train.system[0]: 'git; rm' is no Debian package, such as 'libgomp1'"),
    ("user: {uid: 0}", "runtimes.train.user.uid: expected a number greater than 0, found 0"),
    ("user: {name: Ada L}", "runtimes.train.user.name: 'Ada L' is no name of a user, such as 'nb'"),
    ("environment: {DB_PASSWORD: x}", "DB_PASSWORD looks like a secret"),
    ("environment: {DB: 'postgres://me:x@db/shop'}", "DB looks like a secret"),
    ('environment: {A: "b\\nc"}', "the value of A is more than one line of printable text"),
    ("environment: {a-b: c}", "'a-b' is no name of a variable"),
    ("registry: https://example.com", "'https://example.com' is no registry, such as 'registry.example.com/team'"),
    ("packages: requirements.txt", "nb_dagster.yaml:4:5: runtimes.train.packages: requirements.txt cannot be read"),
    ("template: own.j2", "nb_dagster.yaml:4:5: runtimes.train.template: there is no template own.j2"),
]
FILES = [
    ("-e .", "requirements.txt:1 names a folder or file; packages are installed before the code is there"),
    ("pandas\n./wheels/a.whl", "requirements.txt:2 names a folder or file"),
    ("--index-url https://u:p@example.com", "requirements.txt has an address with a password"),
    ("-r more.txt", "more.txt cannot be read (No such file or directory)"),
    ("-r ../../more.txt", "requirements.txt:1: '../../more.txt' is no plain path of a file beside the project file"),
]


def refusal(folder: Path, said: str) -> str:
    (folder / "nb_dagster.yaml").write_text(f"name: shop\nruntimes:\n  train:\n    {said}\n", encoding="utf-8")
    with pytest.raises(RunRefused) as refused:
        ProjectRuntimes.read(folder, home=folder).find("train")
    return str(refused.value)


@pytest.mark.parametrize(("said", "expected"), WRONG)
def test_a_runtime(tmp_path: Path, said: str, expected: str) -> None:
    assert expected in refusal(tmp_path, said)


@pytest.mark.parametrize(("lines", "expected"), FILES)
def test_a_requirements_file(tmp_path: Path, lines: str, expected: str) -> None:
    (tmp_path / "requirements.txt").write_text(lines, encoding="utf-8")
    assert expected in refusal(tmp_path, "packages: requirements.txt")


def test_a_runtime_that_is_not_declared(tmp_path: Path) -> None:
    (tmp_path / "nb_dagster.yaml").write_text("runtimes: {train: {}, gpu: {}}", encoding="utf-8")
    with pytest.raises(RunRefused, match="has no runtime 'trian'; did you mean 'train'\\? it has train, gpu"):
        ProjectRuntimes.read(tmp_path, home=tmp_path).find("trian")


def test_files_that_include_each_other_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "nb_dagster.yaml").write_text("runtimes: {train: {packages: requirements.txt}}", encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("-r more.txt", encoding="utf-8")
    (tmp_path / "more.txt").write_text("-r requirements.txt\npandas", encoding="utf-8")
    assert ProjectRuntimes.read(tmp_path, home=tmp_path).find("train").packages == "requirements.txt"
