"""A project of small notebooks, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster import NotebookProject
from tests.notebooks import write_notebook


def write_project(folder: Path, text: str) -> Path:
    """Write a project file beside notebooks that it may name; gives its path."""
    notebooks = folder / "notebooks"
    write_notebook(notebooks / "ingest.ipynb", "nb.output('rows', [1, 2, 3])")
    write_notebook(
        notebooks / "split.ipynb",
        "nb.output('left', rows[:1])\nnb.output('right', rows[1:])",
        parameters="rows: list[int]",
    )
    write_notebook(
        notebooks / "train.ipynb",
        "nb.output('seen', [n, share, rows])",
        parameters="n: int = 1\nshare: float = 0.5\nrows = None",
    )
    write_notebook(
        notebooks / "report.ipynb",
        "nb.output('said', [str(day), who, sorted(nb.upstream)])",
        parameters="from datetime import date\nday: date = None\nwho = 'nobody'",
    )
    path = folder / "nb_dagster.yaml"
    path.write_text(f"notebooks: notebooks\n{text}", encoding="utf-8")
    return path


def definitions(path: Path) -> dg.Definitions:
    """The definitions of a project."""
    return NotebookProject.from_yaml(path).build_defs()


def assets_of(defs: dg.Definitions) -> dict[str, dg.AssetsDefinition]:
    """The assets by the name of their workflow."""
    found = defs.get_repository_def().assets_defs_by_key.values()
    return {each.op.name.removesuffix("__notebook"): each for each in found}


def upstreams(defs: dg.Definitions) -> dict[str, set[str]]:
    """What comes before each workflow."""
    return {name: {key.to_user_string() for key in each.dependency_keys} for name, each in assets_of(defs).items()}


def materialize(defs: dg.Definitions, partition_key: str | None = None) -> dg.ExecuteInProcessResult:
    """Run all its assets."""
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            list(assets_of(defs).values()), instance=instance, resources=defs.resources, partition_key=partition_key
        )


def run_job(defs: dg.Definitions, name: str, **given: Any) -> dg.ExecuteInProcessResult:
    """Run one of its jobs."""
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def(name).execute_in_process(instance=instance, **given)
