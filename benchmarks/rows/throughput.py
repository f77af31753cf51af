"""B6: realistic notebooks, two at a time."""

import functools
import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from benchmarks.contenders import Contender, ours, papermill_default, papermill_saving_once, warm_up
from benchmarks.place import Place
from benchmarks.report import Row, at_least
from benchmarks.timing import settle, take_turns, timed

_AT_ONCE = 2
_OURS, _THEIRS = 30, 8  # a rate needs fewer of the slow
_ROUNDS = 2


def realistic(place: Place) -> list[Row]:
    """B6: notebooks a second, each contender with the workers that suit it best."""
    notebook, folder = place.notebooks["realistic"], place.new("realistic_outputs")
    warm_up(notebook, folder)
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(_AT_ONCE) as threads, ProcessPoolExecutor(_AT_ONCE, context) as processes:
        contenders: dict[str, tuple[Contender, Executor, int]] = {
            "nb_dagster": (ours, threads, _OURS),
            "papermill, threads": (papermill_default, threads, _THEIRS),
            "papermill, processes": (papermill_default, processes, _THEIRS),
            "papermill saving once, processes": (papermill_saving_once, processes, _THEIRS),
        }
        _work(papermill_default, processes, _AT_ONCE, notebook, folder)  # its imports
        turns = {
            name: functools.partial(_work, run, workers, count, notebook, folder)
            for name, (run, workers, count) in contenders.items()
        }
        seconds = take_turns(turns, _ROUNDS)
    rates = {name: contenders[name][2] * _ROUNDS / sum(each) for name, each in seconds.items()}
    mine = rates.pop("nb_dagster")
    return [
        Row(
            "B6",
            "60 realistic notebooks (10 cells, pandas, one figure), two at a time",
            f"{mine:.1f} a second",
            ", ".join(f"{name} {rate:.2f} a second ({mine / rate:.1f}x)" for name, rate in rates.items()),
            [at_least(8, mine / max(rates.values()), "papermill's throughput")],
            [
                (
                    f"{_OURS * _ROUNDS} notebooks of ours in two threads, {_THEIRS * _ROUNDS} for each way to run papermill, "
                    "of which the fastest counts."
                )
            ],
        )
    ]


def _work(contender: Contender, workers: Executor, count: int, notebook: Path, folder: Path) -> float:
    """Seconds for a number of runs, until their kernels are gone."""

    def all_of_them() -> None:
        for run in [workers.submit(contender, notebook, folder) for _ in range(count)]:
            run.result()
        settle()

    return timed(all_of_them)
