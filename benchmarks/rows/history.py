"""B11: questions to a history of 100,000 runs."""

import statistics
from collections.abc import Callable
from datetime import timedelta

import dagster as dg

from benchmarks.past import ASKED, START, make_past
from benchmarks.place import Place
from benchmarks.report import Row, at_most
from benchmarks.timing import quiet, timed
from nb_dagster.runs.history import History

_RUNS, _ROUNDS = 100_000, 5


def questions(place: Place) -> list[Row]:
    """B11: the last 20 of a workflow, the last that succeeded, the last as of a date."""
    home = place.new("past")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        with quiet():
            make_past(instance, _RUNS)
        history, middle = History(instance), START + timedelta(minutes=_RUNS // 2)
        asked: dict[str, Callable[[str], object]] = {
            "the last 20": lambda name: history.runs(name, last=20),
            "the last that succeeded": lambda name: history.latest(name, succeeded=True),
            "the last as of a date": lambda name: history.latest(name, until=middle),
        }
        times = {words: _milliseconds(ask) for words, ask in asked.items()}
    slowest = {words: max(each.values()) for words, each in times.items()}
    each_kind = "; ".join(
        f"{words}: {', '.join(f'{kind} {ms:.0f} ms' for kind, ms in times[words].items())}" for words in times
    )
    return [
        Row(
            "B11",
            f"questions to a history of {_RUNS:,} runs, SQLite",
            ", ".join(f"{words} {ms:.0f} ms" for words, ms in slowest.items()),
            "",
            [at_most(500, ms, words, " ms") for words, ms in slowest.items()],
            [
                (
                    "Ten workflows in turn, 10,000 runs each: of a job, of an asset (found by its planned materializations), and "
                    f"of a notebook that is one of several in its job (found by a tag). The slowest of the three; {each_kind}. "
                    "The runs are written straight into the storage, with logs of the runs that are told only; opening those (a "
                    "database each, on SQLite) is in the times. Medians of five, after one that is not counted."
                )
            ],
        )
    ]


def _milliseconds(ask: Callable[[str], object]) -> dict[str, float]:
    """How long a question takes, by the kind of workflow."""
    times = {}
    for kind, name in ASKED.items():
        ask(name)
        times[kind] = statistics.median(timed(lambda asked=name: ask(asked)) for _ in range(_ROUNDS)) * 1e3
    return times
