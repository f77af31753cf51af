"""B2, B3: notebooks as Dagster steps."""

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.deployment import Deployment, dagstermill_deployment, our_deployment
from benchmarks.peers import dagstermill_python
from benchmarks.place import Place
from benchmarks.report import Row, at_least
from benchmarks.timing import medians, take_turns
from nb_dagster.kernel import warm

_STEPS = 6


def one_step(place: Place) -> list[Row]:
    """B2: what a step with a notebook adds over a step without."""
    mine, theirs = _deployments(place, "steps")
    with _warm_kernels():
        return _one_step(mine, theirs)


def _one_step(mine: Deployment, theirs: Deployment) -> list[Row]:
    turns = {
        "notebooks": functools.partial(mine.run, "notebook_steps"),
        "plain": functools.partial(mine.run, "plain_steps", NB_DAGSTER_FORK_SERVER="off"),
        "plain processes": functools.partial(mine.run, "plain_processes"),
        "dagstermill": functools.partial(theirs.run, "notebook_steps"),
        "dagstermill plain": functools.partial(theirs.run, "plain_steps"),
    }
    rounds = {**dict.fromkeys(turns, 2), "notebooks": 5, "plain": 5, "plain processes": 1}
    times = {name: seconds / _STEPS * 1e3 for name, seconds in medians(take_turns(turns, rounds)).items()}
    added, theirs_added = times["notebooks"] - times["plain"], times["dagstermill"] - times["dagstermill plain"]
    return [
        Row(
            "B2",
            "one trivial cell as a Dagster step, over a plain op in the same executor",
            f"+{added:.0f} ms",
            f"dagstermill +{theirs_added:.0f} ms ({theirs_added / added:.1f}x)",
            [at_least(30, theirs_added / added, "less than dagstermill adds")],
            [
                (
                    f"(Run of {_STEPS} notebooks minus run of {_STEPS} ops that return 2) / {_STEPS}, one step at a time, "
                    "RUN_START to RUN_SUCCESS, every run in a new process, kernels kept ready by `nb-dagster warm`. dagstermill in Dagster's "
                    f"multiprocess executor, its default: {times['dagstermill']:.0f} ms a step, a plain op "
                    f"{times['dagstermill plain']:.0f} ms. Ours in `notebook_executor`: {times['notebooks']:.0f} ms a step, a "
                    f"plain op in a thread like a notebook {times['plain']:.0f} ms; without the notebook's tags "
                    f"`notebook_executor` runs it in a process, in {times['plain processes']:.0f} ms."
                )
            ],
        )
    ]


@contextlib.contextmanager
def _warm_kernels() -> Iterator[None]:
    """What ``nb-dagster warm`` keeps, apart from what the user of this machine keeps."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            warm.start(sys.executable, (), 600)
            yield
        finally:
            warm.stop_all()
            del os.environ["XDG_RUNTIME_DIR"]


def eight_notebooks(place: Place) -> list[Row]:
    """B3: eight notebooks as one job."""
    mine, theirs = _deployments(place, "eight")
    turns = {
        "nb_dagster": functools.partial(mine.run, "eight"),
        "preloading": functools.partial(mine.run, "eight_preloading"),
        "dagstermill": functools.partial(theirs.run, "eight"),
    }
    times = medians(take_turns(turns, {"nb_dagster": 5, "preloading": 3, "dagstermill": 2}))
    ours, preloading, dagstermill = times["nb_dagster"], times["preloading"], times["dagstermill"]
    return [
        Row(
            "B3",
            "8 two-cell notebooks as one Dagster job, run start to run end",
            f"{ours:.2f} s",
            (
                f"dagstermill {dagstermill:.1f} s ({dagstermill / ours:.1f}x), our runner in Dagster's multiprocess "
                f"executor {preloading:.2f} s ({preloading / ours:.1f}x)"
            ),
            [
                at_least(20, dagstermill / ours, "dagstermill's default"),
                at_least(2.5, preloading / ours, "our runner in the multiprocess executor"),
            ],
            [
                (
                    "`dagster job execute` in a new process each, as many steps at once as each executor takes by default; "
                    "the multiprocess executor of our runner with `start_method: forkserver` and all that a step imports "
                    "preloaded."
                )
            ],
        )
    ]


def _deployments(place: Place, name: str) -> tuple[Deployment, Deployment]:
    folder, notebooks = place.new(name), place.notebooks["one"].parent
    return our_deployment(folder, notebooks), dagstermill_deployment(folder, notebooks, dagstermill_python())
