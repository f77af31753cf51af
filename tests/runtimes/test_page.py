"""``docs/runtimes.md``: each runtime in it makes a Dockerfile, each command in it runs, each key is in it."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.project.runtimes import ProjectRuntimes
from nb_dagster.runtimes.dockerfile import dockerfile
from nb_dagster.runtimes.image import PROJECT
from nb_dagster.runtimes.runtime import Runtime, User
from tests.cli.command import nb_dagster
from tests.runtimes.repositories import git, write_repository
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs/runtimes.md"


@pytest.mark.parametrize("block", blocks(PAGE, "yaml"))
def test_each_runtime_of_the_page_makes_a_dockerfile(tmp_path: Path, block: str) -> None:
    (tmp_path / "nb_dagster.yaml").write_text(block, encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("pandas\n", encoding="utf-8")
    found = ProjectRuntimes.read(tmp_path, home=tmp_path)
    assert all(dockerfile(name, found.find(name), tmp_path) for name in found.runtimes)


def test_the_template_of_the_page_changes_ours(tmp_path: Path) -> None:
    (block,) = blocks(PAGE, "jinja")
    (tmp_path / "own.j2").write_text(block, encoding="utf-8")
    text = dockerfile("train", Runtime(template="own.j2", packages=["numpy"]), tmp_path)
    assert text.index("uv pip install") < text.index('RUN python -c "import numpy"') < text.index("COPY --chown")


def test_every_key_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [key for key in (*Runtime.model_fields, *User.model_fields) if f"`{key}`" not in page]


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_each_command_of_the_page_runs(engine: Any, base_image: str, tmp_path: Path) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    write_repository(tmp_path, f"name: {name}\nruntimes: {{train: {{image: '{base_image}', template: own.j2}}}}")
    (tmp_path / "own.j2").write_text("FROM {{ runtime.base }}\nCOPY . /app\n", encoding="utf-8")
    git(tmp_path, "add", "own.j2")
    git(tmp_path, "commit", "--quiet", "--message", "second")
    git(tmp_path, "tag", "v1.2")
    (tmp_path / "own.j2").write_text("FROM {{ runtime.base }}\nCOPY . /code\n", encoding="utf-8")
    try:
        for line in "".join(blocks(PAGE, "sh")).splitlines():
            done = nb_dagster(*shlex.split(line)[1:], cwd=tmp_path)
            assert done.returncode == 0, done.stderr
        assert len(engine.images.list(filters={"label": f"{PROJECT}={name}"})) == 2  # of three
    finally:
        for image in engine.images.list(filters={"label": f"{PROJECT}={name}"}):
            engine.images.remove(image.id, force=True)
