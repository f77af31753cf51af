"""B9: opening a code location of a thousand notebooks."""

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.deployment import ROOT
from benchmarks.place import Place
from benchmarks.report import Row, at_most
from benchmarks.timing import medians, take_turns, timed


def thousand_notebooks(place: Place) -> list[Row]:
    """B9: over an empty one, the first time and the next."""
    used, numbers = place.new("used"), itertools.count()
    load = functools.partial(_load, place.thousand)
    turns: dict[str, Callable[[], float]] = {
        "cold": lambda: load(place.new(f"fresh_{next(numbers)}"), "thousand"),
        "cached": lambda: load(used, "thousand"),
        "plain": lambda: load(used, "plain"),
        "empty": lambda: load(used, "empty"),
        "cached, answered": lambda: load(used, "thousand", "answer"),
        "plain, answered": lambda: load(used, "plain", "answer"),
        "empty, answered": lambda: load(used, "empty", "answer"),
    }
    take_turns(turns, 1)
    times = medians(take_turns(turns, 5))
    cold, cached, plain = (times[name] - times["empty"] for name in ("cold", "cached", "plain"))
    answered, plain_answered = (times[f"{name}, answered"] - times["empty, answered"] for name in ("cached", "plain"))
    return [
        Row(
            "B9",
            "code location of 1,000 notebooks, over an empty one",
            f"+{cold:.2f} s cold, +{cached:.2f} s cached",
            f"1,000 plain Dagster assets +{plain:.2f} s ({plain / cached:.1f}x of cached)",
            [at_most(3, cold, "cold", " s"), at_most(1, cached, "cached", " s")],
            [
                (
                    "A new Python each, which imports the definitions and builds the repository, as a code server does, "
                    f"minus the same for a module that only imports dagster and nb_dagster ({times['empty']:.2f} s). 1,000 "
                    "files, no two alike; cold in a working folder where nothing was loaded before. With the answer to the "
                    f"web server's first question, the whole repository in JSON: cached +{answered:.2f} s, plain assets "
                    f"+{plain_answered:.2f} s."
                )
            ],
        )
    ]


def _load(notebooks: Path, folder: Path, *arguments: str) -> float:
    """Seconds of a process that loads a code location in a working folder."""
    environment = {**os.environ, "BENCH_NOTEBOOKS": str(notebooks), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.processes.code_server", *arguments]
    return timed(lambda: subprocess.run(command, env=environment, cwd=folder, check=True))
