"""dagstermill's jobs, and plain ones beside them, for ``dagster job execute`` in its own environment."""

import os
import sys
import warnings
from pathlib import Path

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
import dagstermill  # type: ignore[import-not-found]  # noqa: E402 - it warns as it is imported

NOTEBOOKS = Path(os.environ["BENCH_NOTEBOOKS"])
STEPS = 6
ONE_AT_A_TIME = dg.multiprocess_executor.configured({"max_concurrent": 1})


def notebook_job(name: str, notebook: str, count: int, executor: dg.ExecutorDefinition | None) -> dg.JobDefinition:
    """Independent ops of one notebook."""
    ops = [
        dagstermill.define_dagstermill_op(
            name=f"{notebook}_{number}",
            notebook_path=str(NOTEBOOKS / f"{notebook}.ipynb"),
            output_notebook_name="executed",
        )
        for number in range(count)
    ]

    @dg.graph(name=f"{name}__graph")
    def graph() -> None:
        for op in ops:
            op()

    resources = {"output_notebook_io_manager": dagstermill.ConfigurableLocalOutputNotebookIOManager()}
    return graph.to_job(name=name, resource_defs=resources, executor_def=executor)


def plain_job(name: str, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    """As many ops that only return a value."""

    @dg.graph(name=f"{name}__graph")
    def graph() -> None:
        for number in range(STEPS):

            @dg.op(name=f"plain_{number}")
            def plain() -> int:
                return 2

            plain()

    return graph.to_job(name=name, executor_def=executor)


def container_jobs() -> list[dg.JobDefinition]:
    """One notebook in a container; where there is an image for it."""
    image = os.environ.get("BENCH_IMAGE")
    if not image:
        return []
    from dagster_docker import docker_executor  # type: ignore[import-not-found]

    home, root = os.environ["DAGSTER_HOME"], str(Path(__file__).parents[2])
    same = (f"{sys.prefix}:{sys.prefix}:ro", f"{root}:{root}:ro", f"{NOTEBOOKS}:{NOTEBOOKS}:ro", f"{home}:{home}:rw")
    config = {
        "image": image,
        "env_vars": [
            f"PATH={sys.prefix}/bin:/usr/bin:/bin",
            "PYTHONWARNINGS=ignore",
            "DAGSTER_HOME",
            "BENCH_NOTEBOOKS",
            "BENCH_IMAGE",
        ],
        "container_kwargs": {"volumes": list(same), "init": True},
    }
    return [notebook_job("container_step", "one", 1, docker_executor.configured(config))]


defs = dg.Definitions(
    jobs=[
        notebook_job("notebook_steps", "one", STEPS, ONE_AT_A_TIME),
        plain_job("plain_steps", ONE_AT_A_TIME),
        notebook_job("eight", "two", 8, None),
        *container_jobs(),
    ]
)
