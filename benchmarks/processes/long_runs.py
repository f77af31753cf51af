"""Runs of 50 and of 500 notebooks in one process: ``python -m benchmarks.processes.long_runs``, in a deployment.

Prints, as JSON, the seconds of the runs and what the run of 500 left behind in the process.
"""

import gc
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.definitions.reconstruct import ReconstructableJob

import nb_dagster as nbd
from benchmarks.deployment import last_run_seconds
from benchmarks.timing import settle


@dataclass(frozen=True)
class Holdings:
    """What a process holds."""

    descriptors: int
    threads: int
    children: int
    megabytes: float

    @classmethod
    def now(cls) -> "Holdings":
        """Of this process, when the kernels of its runs are gone."""
        settle()
        gc.collect()
        process = psutil.Process()
        children = len(process.children(recursive=True))
        return cls(process.num_fds(), threading.active_count(), children, process.memory_info().rss / 2**20)


def fifty() -> dg.JobDefinition:
    """A job of 50 notebooks."""
    return _job(50)


def five_hundred() -> dg.JobDefinition:
    """A job of 500 notebooks."""
    return _job(500)


def _job(count: int) -> dg.JobDefinition:
    path = Path(os.environ["BENCH_NOTEBOOKS"], "one.ipynb")
    return nbd.notebook_job(f"job_of_{count}", [nbd.notebook_op(path, name=f"one_{n}") for n in range(count)])


def main() -> None:
    """Run a small job to warm up, small ones and a large one for time, and tell."""
    with dg.DagsterInstance.get() as instance:

        def run(job: ReconstructableJob) -> float:
            with dg.execute_job(job, instance) as result:
                if not result.success:
                    raise RuntimeError("a run failed")
            return last_run_seconds(Path(os.environ["DAGSTER_HOME"]))

        small, large = dg.reconstructable(fifty), dg.reconstructable(five_hundred)
        run(small)
        before = Holdings.now()
        small_seconds = [run(small) for _ in range(3)]
        large_seconds = run(large)
        after = Holdings.now()
    print(
        json.dumps({"small": small_seconds, "large": large_seconds, "before": asdict(before), "after": asdict(after)})
    )


if __name__ == "__main__":
    main()
