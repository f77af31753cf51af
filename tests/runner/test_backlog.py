"""A reader that is slower than its notebook misses nothing that the notebook keeps, and makes nobody wait."""

import queue
from pathlib import Path

import pytest

from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.backlog import Backlog, Item
from nb_dagster.runner.result import CellResult
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import printed, write_notebook

FINISHED = events.CellFinished(0.0, 1, CellResult(0, "succeeded", 0.1))


def all_of(backlog: Backlog) -> list[events.Event | None]:
    return [backlog.take() for _ in range(len(backlog))]


def stream(text: str, name: str = "stdout") -> events.Stream:
    return events.Stream(0.0, 0, name, text)


def shown(text: str, updates: str = "") -> events.Display:
    return events.Display(0.0, 0, {"text/plain": text}, updates)


def test_what_does_not_wait_long_stays_as_it_is() -> None:
    backlog = Backlog()
    given: list[Item] = [
        stream("a"),
        stream("b"),
        shown("x", "id"),
        shown("y", "id"),
        events.Cleared(0.0, 0),
        FINISHED,
        None,
    ]
    for event in given:
        backlog.add(event)
    assert all_of(backlog) == given
    with pytest.raises(IndexError):
        backlog.take()


def test_text_that_waits_is_joined_by_stream() -> None:
    backlog = Backlog()
    for number in range(10_000):
        backlog.add(stream(f"{number}\n"))
        backlog.add(stream(f"{-number}\n", "stderr"))
    backlog.add(FINISHED)
    assert len(backlog) <= 101
    taken = all_of(backlog)
    for name, sign in (("stdout", 1), ("stderr", -1)):
        text = "".join(each.text for each in taken if isinstance(each, events.Stream) and each.name == name)
        assert text == "".join(f"{sign * number}\n" for number in range(10_000))
    assert taken[-1] == FINISHED


def test_of_updates_that_wait_the_last_is_told() -> None:
    backlog = Backlog()
    for number in range(10_000):
        backlog.add(shown(str(number), "bar"))
    assert len(backlog) <= 100
    assert all_of(backlog)[-1] == shown("9999", "bar")


def test_what_was_shown_anew_is_told_each_time() -> None:
    backlog = Backlog()
    given = [shown(str(number)) for number in range(1_000)]
    for event in given:
        backlog.add(event)
    assert all_of(backlog) == given


def test_what_was_cleared_need_not_wait() -> None:
    backlog = Backlog()
    for number in range(10_000):
        backlog.add(shown(f"{number}"))
        backlog.add(stream(f"{number}"))
        backlog.add(events.Cleared(0.0, 0))
    backlog.add(shown("last"))
    assert len(backlog) <= 102
    assert [each for each in all_of(backlog) if isinstance(each, events.Display)][-1] == shown("last")


def test_a_progress_bar_that_waits_takes_no_more_room_than_it_shows() -> None:
    backlog = Backlog()
    for number in range(100_000):
        backlog.add(stream(f"\r{number:50}"))
    assert sum(len(each.text) for each in all_of(backlog) if isinstance(each, events.Stream)) < 10_000


def test_a_reader_that_comes_late_finds_all_text_in_few_events(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "for n in range(3_000): print(n, flush=True)")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    result = run.result()
    taken = list(run.events())
    assert len(taken) < 150
    text = "".join(each.text for each in taken if isinstance(each, events.Stream))
    assert text == printed(result.executed_notebook)
    assert isinstance(taken[-1], events.Finished)


def test_a_flood_that_nobody_reads_can_be_cancelled(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "n = 0\nwhile True: print(n, flush=True); n += 1")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    while not isinstance(run.next_event(), events.Stream):
        pass
    run.cancel()
    assert run.result().status == "cancelled"


def test_waiting_for_an_event_has_an_end(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(600)")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    while not isinstance(run.next_event(), events.CellStarted):
        pass
    with pytest.raises(queue.Empty):
        run.next_event(0.01)
    run.cancel()
    assert run.result().status == "cancelled"
