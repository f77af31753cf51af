"""A Dagster instance in a folder, and jobs of this package run on it, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
EXECUTE = """
import dagster as dg, importlib, sys
_, module, job = sys.argv
with dg.DagsterInstance.get() as instance:
    dg.execute_job(dg.reconstructable(getattr(importlib.import_module(module), job)), instance=instance)
"""


def make_home(folder: Path) -> None:
    """Make the instance's home in the folder."""
    (folder / "home").mkdir()
    (folder / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n")


def execute(
    folder: Path, module: str, job: str, compute: Mapping[str, Any] | None = None, **variables: str
) -> "subprocess.Popen[bytes]":
    """Start a job whose notebooks are in the folder; what it prints is in ``<job>.log`` there.

    Args:
        folder: where its notebooks are, and its history.
        module: the module that makes the job.
        job: what makes it there.
        compute: the compute of its steps, which the module reads here, and again in each container or pod.
        **variables: further variables of its process.
    """
    if compute is not None:
        variables["NB_DAGSTER_TEST_COMPUTE"] = json.dumps(_known_inside(folder, compute))
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "home"),
        "NB_DAGSTER_TEST_NOTEBOOKS": str(folder),
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    with open(folder / f"{job}.log", "wb") as log:
        command = [sys.executable, "-c", EXECUTE, module, job]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def _known_inside(folder: Path, compute: Mapping[str, Any]) -> dict[str, Any]:
    """A compute whose containers know it too, and the folder, since they load the job again."""
    inside = {"NB_DAGSTER_TEST_NOTEBOOKS": str(folder), "NB_DAGSTER_TEST_COMPUTE": json.dumps(compute)}
    return {**compute, "env": {**compute["env"], **inside}}
