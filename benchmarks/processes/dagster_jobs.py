"""Our jobs, and plain ones beside them, for ``dagster job execute``."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

import nb_dagster as nbd

NOTEBOOKS = Path(os.environ["BENCH_NOTEBOOKS"])
ROOT = str(Path(__file__).parents[2])
STEPS = 6
ONE_AT_A_TIME = nbd.notebook_executor.configured({"max_concurrent": 1})
PRELOADED = [  # what a step imports
    "alembic.config",
    "dagster",
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
    "ipykernel",
    "jupyter_client.asynchronous.client",
    "jupyter_client.manager",
    "nb_dagster.definitions.job",
    "nb_dagster.kernel.provisioner",
    "nb_dagster.runner.background",
    "nbclient",
    "sqlalchemy.dialects.sqlite",
    "structlog",
    "tqdm",
    "watchdog.observers",
]
PRELOADING = dg.multiprocess_executor.configured({"start_method": {"forkserver": {"preload_modules": PRELOADED}}})


def notebooks(name: str, count: int) -> list[dg.OpDefinition]:
    """Independent ops of one notebook."""
    return [nbd.notebook_op(NOTEBOOKS / f"{name}.ipynb", name=f"{name}_{number}") for number in range(count)]


def plain_job(name: str, executor: dg.ExecutorDefinition, tags: Mapping[str, str]) -> dg.JobDefinition:
    """As many ops that only return a value."""

    @dg.graph(name=f"{name}__graph")
    def graph() -> None:
        for number in range(STEPS):

            @dg.op(name=f"plain_{number}", tags=tags)
            def plain() -> int:
                return 2

            plain()

    return graph.to_job(name=name, executor_def=executor)


def container_jobs() -> list[dg.JobDefinition]:
    """One notebook in a container; where there is an image for it."""
    image = os.environ.get("BENCH_IMAGE")
    if not image:
        return []
    settings = {
        "image": image,
        "volumes": [f"{sys.prefix}:{sys.prefix}:ro", f"{ROOT}:{ROOT}:ro"],
        "env": {
            "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
            "PYTHONPATH": ROOT,
            "BENCH_NOTEBOOKS": str(NOTEBOOKS),
            "BENCH_IMAGE": image,
        },
    }
    kinds = {"container_kernel": "docker-kernel", "container_step": "docker"}
    one = NOTEBOOKS / "one.ipynb"
    return [
        nbd.notebook_job(name, [nbd.notebook_op(one, name="one", compute={**settings, "isolation": kind})])
        for name, kind in kinds.items()
    ]


def notebook_jobs() -> list[dg.JobDefinition]:
    """All of them."""
    return [
        nbd.notebook_job("notebook_steps", notebooks("one", STEPS), executor_def=ONE_AT_A_TIME),
        # The executor runs a plain op in a process of its own; a notebook's tags put it into a thread, as a notebook.
        plain_job("plain_steps", ONE_AT_A_TIME, notebooks("one", 1)[0].tags),
        plain_job("plain_processes", ONE_AT_A_TIME, {}),
        nbd.notebook_job("eight", notebooks("two", 8)),
        nbd.notebook_job("eight_preloading", notebooks("two", 8), executor_def=PRELOADING),
        *container_jobs(),
    ]


defs = dg.Definitions(jobs=notebook_jobs(), resources=nbd.resources())
