"""The job of the cases whose whole steps are in containers or pods, and how they ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd
from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.runner.reading import read_result
from tests.conformance import ALL, Case, bring
from tests.executors.deployment import execute, make_home
from tests.notebooks import run_metadata

FOLDER = Path(os.environ.get("NB_DAGSTER_TEST_NOTEBOOKS", "."))
COMPUTE = json.loads(os.environ.get("NB_DAGSTER_TEST_COMPUTE", "{}"))
STORE = "store"


def steps() -> dg.JobDefinition:
    """A step for each case that has a folder."""
    ops = [
        nbd.notebook_op(
            FOLDER / case.name / Path(case.file).name,
            name=case.name,
            params=case.params,
            compute=COMPUTE,
            **case.limits,
        )
        for case in ALL
        if (FOLDER / case.name).exists()
    ]
    executor = nbd.notebook_executor.configured({"max_concurrent": 4})
    return nbd.notebook_job("steps", ops, executor_def=executor, resource_defs=nbd.resources(str(FOLDER / STORE)))


class Steps:
    """The steps that have run."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self._folder = folder
        (run,) = instance.get_runs()
        executed = stored_notebooks(instance, run.run_id)
        self._executed = {run_metadata(path)["workflow"]: path for path in executed}

    def of(self, case: Case) -> nbd.NotebookResult:
        """How a case ended."""
        return read_result(self._executed[case.name], str(self._folder / case.name / Path(case.file).name))

    def left(self) -> list[Path]:
        """Files in the store that are neither an executed notebook nor one of its files."""
        kept = [path.relative_to(self._folder) for path in (self._folder / STORE).rglob("*") if path.is_file()]
        return [path for path in kept if path.suffix != ".ipynb" and ".files" not in {up.suffix for up in path.parents}]


@contextmanager
def run_all(folder: Path, cases: list[Case], compute: Mapping[str, Any]) -> Iterator[Steps]:
    """Run them in a folder."""
    for case in cases:
        (folder / case.name).mkdir()
        bring(case, folder / case.name)
    make_home(folder)
    execute(folder, __name__, "steps", compute).wait(2000)
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield Steps(folder, instance)
