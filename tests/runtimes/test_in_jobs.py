"""Runtimes in use: the notebooks of one job, each in the container of its own runtime."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.runtimes.image import PROJECT
from tests.cli.command import as_json, nb_dagster
from tests.notebooks import write_notebook
from tests.runtimes.repositories import commit_all, git

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
PROJECT_FILE = """
name: {name}
notebooks: notebooks
runtimes:
  old: {{image: "{image}", packages: [pandas==2.2.3]}}
  new: {{image: "{image}", packages: [pandas==2.3.3]}}
workflows:
  before: {{notebook: version.ipynb, compute: {{isolation: docker-kernel, runtime: old}}}}
  after: {{notebook: version.ipynb, compute: {{isolation: docker-kernel, runtime: new}}}}
pipelines:
  both: [before, after]
"""


@pytest.fixture(scope="module")
def folder(engine: Any, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose two workflows have a runtime each; their images go when the tests end."""
    folder, name = tmp_path_factory.mktemp("two"), f"t{uuid.uuid4().hex[:10]}"
    write_notebook(
        folder / "notebooks/version.ipynb",
        "import pandas\nnb.output('version', pandas.__version__)\nprint(nb.__file__)",
    )
    (folder / "nb_dagster.yaml").write_text(PROJECT_FILE.format(name=name, image=base_image), encoding="utf-8")
    git(folder, "init", "--quiet")
    commit_all(folder, "two runtimes")
    yield folder
    for image in engine.images.list(filters={"label": f"{PROJECT}={name}"}):
        engine.images.remove(image.id, force=True)


def test_a_runtime_without_an_image_is_told_how_to_get_one(folder: Path) -> None:
    done = nb_dagster("run", "before", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "has no image; build it with: nb-dagster runtime build old" in done.stderr


def test_two_runtimes_of_one_job_have_two_versions_of_pandas(folder: Path) -> None:
    for runtime in ("old", "new"):
        done = nb_dagster("runtime", "build", runtime, cwd=folder, timeout=400)
        assert done.returncode == 0, done.stderr
    done = nb_dagster("run", "--pipeline", "both", "--json", cwd=folder, timeout=200)
    assert done.returncode == 0, done.stderr
    steps = {each["workflow"]: each["outputs"] for each in as_json(done)["steps"]}
    assert steps == {"before": {"version": "2.2.3"}, "after": {"version": "2.3.3"}}
