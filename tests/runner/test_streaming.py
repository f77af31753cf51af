"""A run is a stream of events, live, in their order; leaving it cancels it."""

import asyncio
import time
from pathlib import Path

import nbformat
import psutil
import pytest

import nb_dagster as nbd
from nb_dagster.runner import events
from tests.notebooks import read, write_notebook


def test_events_come_in_order_and_end_with_the_result(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('hello')", "nb.metric('auc', 0.5)", "1 + 1")

    async def collect() -> list[events.Event]:
        return [event async for event in nbd.stream_notebook(nbd.NotebookRun(path, output=tmp_path / "out.ipynb"))]

    happened = asyncio.run(collect())
    assert [type(event).__name__ for event in happened] == [
        *("Started", "CellStarted", "Stream", "CellFinished", "CellStarted", "Recorded", "CellFinished"),
        *("CellStarted", "Display", "CellFinished", "Finished"),
    ]
    last = happened[-1]
    assert isinstance(last, events.Finished)
    assert last.result.status == "succeeded"
    assert last.result.metrics == {"auc": 0.5}


def test_output_arrives_while_the_cell_runs(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import time\nprint('now', flush=True)\ntime.sleep(1.5)")

    async def delay() -> float:
        arrived = finished = 0.0
        async for event in nbd.stream_notebook(nbd.NotebookRun(path, output=tmp_path / "out.ipynb")):
            if isinstance(event, events.Stream):
                arrived = time.monotonic()
            if isinstance(event, events.CellFinished):
                finished = time.monotonic()
        return finished - arrived

    assert asyncio.run(delay()) > 1


def test_leaving_the_stream_cancels_the_run_and_keeps_the_notebook(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('before')", "import time\ntime.sleep(600)", "print('never')")
    children = set(psutil.Process().children(recursive=True))

    async def leave() -> None:
        stream = nbd.stream_notebook(nbd.NotebookRun(path, output=tmp_path / "out.ipynb"))
        async for event in stream:
            if isinstance(event, events.CellStarted) and event.number == 2:
                break
        await stream.aclose()

    started = time.monotonic()
    asyncio.run(leave())
    assert time.monotonic() - started < 15
    assert set(psutil.Process().children(recursive=True)) <= children
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert notebook.metadata.nb_dagster.status == "cancelled"
    assert [cell.metadata.nb_dagster.status for cell in notebook.cells] == ["succeeded", "cancelled", "not_run"]
    assert notebook.cells[0].outputs[0].text == "before\n"


def test_a_run_that_cannot_start_is_refused_before_any_event(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1")

    async def first() -> events.Event:
        return await anext(nbd.stream_notebook(nbd.NotebookRun(path, {"n": 1}, output=tmp_path / "out.ipynb")))

    with pytest.raises(nbd.RunRefused, match="no parameter 'n'"):
        asyncio.run(first())
    assert not (tmp_path / "out.ipynb").exists()


def test_many_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('n', n)", parameters="n = 0")

    async def one(n: int) -> object:
        run = nbd.NotebookRun(path, {"n": n}, output=tmp_path / f"{n}.ipynb")
        found: object = None
        async for event in nbd.stream_notebook(run):
            if isinstance(event, events.Finished):
                found = event.result.outputs["n"]
        return found

    async def all_of_them() -> list[object]:
        return list(await asyncio.gather(*(one(n) for n in range(1, 9))))

    assert asyncio.run(all_of_them()) == list(range(1, 9))


def test_no_run_overwrites_anothers_notebook(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(nbd.RunRefused, match="exists already"):
        nbd.run_notebook(path, output=path)


def test_what_a_thread_prints_when_its_cell_has_ended_is_in_that_cell(tmp_path: Path) -> None:
    late = (
        "import sys, threading, time\nfrom ipykernel.kernelbase import Kernel\nparent = get_ipython().kernel.get_parent()\n"
        "def speak():\n    time.sleep(0.3)\n    sys.stdout.set_thread_parent(parent)\n    print('late', flush=True)\n"
        "threading.Thread(target=speak).start()\nprint('first')"
    )
    path = write_notebook(tmp_path / "a.ipynb", late, "time.sleep(1)\nprint('second')")
    result = nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    first, second = (cell["outputs"] for cell in read(result.executed_notebook)["cells"])
    assert "".join("".join(output["text"]) for output in first) == "first\nlate\n"
    assert "".join("".join(output["text"]) for output in second) == "second\n"
