"""B8: memory of kernels that are alive at once."""

import functools
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.deployment import ROOT
from benchmarks.place import Place
from benchmarks.report import Row, Target
from benchmarks.timing import medians, take_turns


def sixteen_kernels(place: Place) -> list[Row]:
    """B8: ours, forked, beside those that jupyter_client spawns."""
    notebook = place.notebooks["waiting"]
    sizes = medians(
        take_turns({name: functools.partial(_megabytes, name, notebook) for name in ("ours", "spawned")}, 2)
    )
    share = sizes["ours"] / sizes["spawned"]
    return [
        Row(
            "B8",
            "memory of 16 kernels with pandas alive at once",
            f"{sizes['ours']:.0f} MB",
            f"spawned ipykernels {sizes['spawned']:.0f} MB ({1 / share:.1f}x)",
            [Target("≤ 35 % of spawned kernels", f"{share:.0%}", share <= 0.35)],
            ["PSS from `/proc/PID/smaps_rollup`, summed over the kernels; ours with that of their fork server."],
        )
    ]


def _megabytes(contender: str, notebook: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.processes.memory", contender, str(notebook)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
