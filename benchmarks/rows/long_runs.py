"""B10: a long run in one process."""

import json
import statistics
import subprocess

from benchmarks.deployment import our_deployment
from benchmarks.place import Place
from benchmarks.report import Row, Target

_STRAY_MEGABYTES = 20  # an allocator's, not a leak


def five_hundred_notebooks(place: Place) -> list[Row]:
    """B10: a run of 500 notebooks beside runs of 50."""
    deployment = our_deployment(place.new("long"), place.notebooks["one"].parent)
    command = [deployment.python, "-m", "benchmarks.processes.long_runs"]
    done = subprocess.run(
        command, env=deployment.environment(), cwd=deployment.home, check=True, capture_output=True, text=True
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    small, large = statistics.median(measured["small"]) / 50 * 1e3, measured["large"] / 500 * 1e3
    grown = {name: measured["after"][name] - before for name, before in measured["before"].items()}
    counts = ("descriptors", "threads", "children")
    return [
        Row(
            "B10",
            "a run of 500 notebooks in one job",
            f"{large:.0f} ms a notebook; in a run of 50, {small:.0f} ms",
            "",
            [
                Target("≤ 1.3x the cost of a notebook in a run of 50", f"{large / small:.2f}x", large <= 1.3 * small),
                Target(
                    "no growth of file descriptors, threads, processes",
                    ", ".join(f"{grown[name]:+d}" for name in counts),
                    all(grown[name] <= 0 for name in counts),
                ),
                Target("nor of memory", f"{grown['megabytes']:+.0f} MB", grown["megabytes"] <= _STRAY_MEGABYTES),
            ],
            [
                (
                    "`execute_job` in one process: a run of 50 to warm up, three of 50, one of 500; growth from the end of the "
                    f"first run to the end of the last, when kernels are gone (from {measured['before']['megabytes']:.0f} MB)."
                )
            ],
        )
    ]
