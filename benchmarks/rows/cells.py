"""B1, B4, B5, B7: notebooks one after another, in this process."""

import functools
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from benchmarks.contenders import CONTENDERS, OURS, PAPERMILL, SAVING_ONCE, ours, warm_up
from benchmarks.place import Place
from benchmarks.report import Row, Target, at_least, at_most, beside
from benchmarks.timing import medians, quiet, settle, take_turns, timed


def one_cell(place: Place) -> list[Row]:
    """B1: a trivial cell, end to end."""
    times = _measure(place, "one", 9)
    mine, bare = times.pop(OURS), _bare_milliseconds()
    return [
        Row(
            "B1",
            "one trivial cell, warm, in process, end to end",
            f"{mine:.0f} ms",
            beside(times, mine, "ms"),
            [
                at_least(7, times[PAPERMILL] / mine, "papermill's API"),
                at_most(90, mine - bare, "over the bare kernel work", " ms"),
            ],
            [
                (
                    f"Bare kernel work, {bare:.1f} ms, is the same cell on a kernel that already runs, through a blocking "
                    "jupyter_client, until it is idle. Runs are 0.3 s apart, so that no kernel's end is in another's time; "
                    "B7 is without such pauses. ploomber-engine runs cells in the caller's process: nothing is isolated."
                )
            ],
        )
    ]


def hundred_cells(place: Place) -> list[Row]:
    """B4: a hundred trivial cells."""
    times = {name: total / 100 for name, total in _measure(place, "hundred", 3).items()}
    mine = times.pop(OURS)
    return [
        Row(
            "B4",
            "100 trivial cells, for each",
            f"{mine:.1f} ms",
            beside(times, mine, "ms", 1),
            [at_most(3, mine, "a cell", " ms"), at_least(6, times[PAPERMILL] / mine, "papermill")],
            [f"The whole run by its 100 cells, kernel start included. {_at_its_best(times, mine)}"],
        )
    ]


def outputs(place: Place) -> list[Row]:
    """B5: much output, and twice as much."""
    times, doubled = _measure(place, "output", 3), _measure(place, "output_double", 3, fewer={PAPERMILL: 1})
    mine, mine_doubled = times.pop(OURS), doubled.pop(OURS)
    return [
        Row(
            "B5",
            "40 cells of 500 kB output each",
            f"{mine:.0f} ms",
            beside(times, mine, "ms"),
            [at_least(3.5, times[PAPERMILL] / mine, "papermill")],
            [_at_its_best(times, mine)],
        ),
        Row(
            "B5",
            "40 cells of 1 MB",
            f"{mine_doubled:.0f} ms",
            beside(doubled, mine_doubled, "ms"),
            [at_most(2, mine_doubled / mine, "the time for 500 kB", "x")],
        ),
    ]


def many_runs(place: Place) -> list[Row]:
    """B7: how even the times are."""
    notebook, folder = place.notebooks["one"], place.new("many")
    warm_up(notebook, folder)
    times = sorted(timed(lambda: ours(notebook, folder)) * 1e3 for _ in range(200))
    p50, p99 = statistics.median(times), times[197]
    return [
        Row(
            "B7",
            "200 runs of B1, without a pause",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
            "",
            [Target("p99 ≤ 2x p50", f"{p99 / p50:.1f}x", p99 <= 2 * p50)],
        )
    ]


def _measure(place: Place, name: str, rounds: int, fewer: Mapping[str, int] | None = None) -> dict[str, float]:
    """The median milliseconds of each contender; those of few cells after one run to warm up."""
    notebook, folder = place.notebooks[name], place.new(f"{name}_outputs")
    warm_up(place.notebooks["one"], folder)
    turns = {each: functools.partial(_clocked, run, notebook, folder) for each, run in CONTENDERS.items()}
    if name == "one":
        take_turns(turns, 1)
    return medians(take_turns(turns, {**dict.fromkeys(turns, rounds), **(fewer or {})}))


def _clocked(run: Callable[[Path, Path], None], notebook: Path, folder: Path) -> float:
    """Milliseconds; what was written is removed, and our kernel gone, before the next one's turn."""
    milliseconds = timed(lambda: run(notebook, folder)) * 1e3
    settle()
    for path in folder.glob("*.ipynb"):
        path.unlink()
    return milliseconds


def _bare_milliseconds() -> float:
    """One cell on a kernel that already runs."""
    with quiet():
        manager, client = start_new_kernel()
        try:
            times = []
            for _ in range(40):
                start = time.perf_counter()
                client.execute_interactive("1 + 1", output_hook=lambda _: None)
                times.append((time.perf_counter() - start) * 1e3)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return statistics.median(times[10:])


def _at_its_best(times: dict[str, float], mine: float) -> str:
    return (
        f"Against papermill saving once, its fastest setting, which keeps nothing of a run that is killed: "
        f"{times[SAVING_ONCE] / mine:.1f}x."
    )
