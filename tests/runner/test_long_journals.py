"""A journal that has grown long begins anew with what is still shown, and a crash at any moment loses nothing of that."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nb_dagster.kernel import locks
from nb_dagster.runner import journal as journals
from nb_dagster.runner import recovery
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.executed import executed_form, new_notebook
from nb_dagster.runner.journal import Journal
from nb_dagster.runner.listener import Listener
from nb_dagster.runner.outputs import CellOutputs
from nb_dagster.runner.recovery import recover_notebook
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import cell_statuses, printed, read, write_notebook

pytestmark = pytest.mark.slow
CELLS = 3


class Both(Listener):
    """Writes two journals, one of which begins anew whenever it can."""

    def __init__(self, *journals: Journal) -> None:
        self.journals = journals

    def shown(self, cell: int, message: dict[str, Any]) -> None:
        for each in self.journals:
            each.message(cell, message)


TEXTS = st.text("ab\r\n", max_size=6)
DISPLAYS = st.sampled_from(["one", "two", None])


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    kind = draw(
        st.sampled_from(["stream", "stream", "display_data", "update_display_data", "clear_output", "execute_result"])
    )
    if kind == "stream":
        return kind, {"name": draw(st.sampled_from(["stdout", "stderr"])), "text": draw(TEXTS)}
    if kind == "clear_output":
        return kind, {"wait": draw(st.booleans())}
    content: dict[str, Any] = {"data": {"text/plain": draw(TEXTS)}, "metadata": {}}
    if kind == "execute_result":
        content["execution_count"] = draw(st.integers(1, 9))
    return kind, content | {"transient": {"display_id": draw(DISPLAYS)}}


def begun(folder: Path, name: str) -> Journal:
    code = {"cell_type": "code", "metadata": {}, "source": "x"}
    run = executed_form(
        {"cells": [code] * CELLS, "metadata": {}}, None, {"name": "python3", "display_name": "Python"}, {}
    )
    return Journal(folder / f"{name}.jsonl", run, folder / f"{name}.ipynb")


def recovered(journal: Journal) -> list[Any]:
    """What the notebook shows that is made of a journal, and how its cells ended."""
    journal._file.close()
    output = recover_notebook(journal.path, journal.path.parent)
    assert output is not None
    cells = read(output)["cells"]
    nbformat.validate(read(output))
    return [(cell["outputs"], cell["execution_count"], cell["metadata"]["nb_dagster"]["status"]) for cell in cells]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(shown=st.lists(st.lists(messages(), max_size=12), min_size=1, max_size=CELLS), is_over=st.booleans())
def test_one_that_began_anew_recovers_the_same(
    tmp_path_factory: pytest.TempPathFactory, shown: list[list[tuple[str, dict[str, Any]]]], is_over: bool
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    long, short = begun(folder, "long"), begun(folder, "short")
    notebook = new_notebook(json.loads((folder / "long.jsonl").read_text())["notebook"])
    outputs = CellOutputs(notebook, listener=Both(long, short))
    for each in (long, short):
        each.follow(outputs)
    for cell, shown_there in enumerate(shown):
        outputs.start_cell(notebook.cells[cell])
        for each in (long, short):
            each.cell_started(cell)
        for kind, content in [("execute_input", {"execution_count": cell + 1, "code": ""}), *shown_there]:
            short._long = 0
            header = {"msg_type": kind}
            message = {"msg_type": kind, "header": header, "parent_header": {}, "content": content}
            outputs.process_message(message, notebook.cells[cell], cell)
        outputs.settle()
        if cell + 1 < len(shown) or is_over:
            for each in (long, short):
                each.cell_finished(cell, {"status": "succeeded", "started": None, "ended": None})
            notebook.cells[cell].metadata["nb_dagster"] = {"status": "succeeded", "started": None, "ended": None}
    assert recovered(short) == recovered(long)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the journal after each message; it is long from 20 kB on."""
    sizes, message = [], Journal.message

    def measured(self: Journal, *arguments: Any) -> None:
        message(self, *arguments)
        sizes.append(self.path.stat().st_size)

    monkeypatch.setattr(journals, "_LONG", 20_000)
    monkeypatch.setattr(Journal, "message", measured)
    return sizes


@pytest.mark.parametrize(
    "source",
    [
        "handle = display('x', display_id=True)\nfor n in range(2_000): handle.update(str(n) * 30)",
        "from IPython.display import clear_output\nfor n in range(1_000): display(str(n) * 60); clear_output(wait=True)",
        "for n in range(5_000): print(f'\\r{n:100}', end='', flush=True)",
    ],
    ids=["updates", "cleared", "progress bar"],
)
def test_what_is_overwritten_does_not_fill_the_disk(tmp_path: Path, sizes: list[int], source: str) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('before')", source)
    assert BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb")).result().ok
    assert sum(later < before for before, later in itertools.pairwise(sizes)) > 2, "it began anew"
    assert max(sizes) < 250_000
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.ipynb", "out.ipynb"]


KILLED = """
import os, signal, nb_dagster
from nb_dagster.runner import journal
journal._LONG = 20_000
replace, count = os.replace, 0
def replaced(source, target):
    global count
    count += str(source).endswith(".journal.new")
    if {after}:
        replace(source, target)
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = replaced
nb_dagster.run_notebook({path!r}, output={output!r})
"""


@pytest.mark.parametrize("after", [False, True], ids=["before its new file is there", "after"])
def test_a_process_killed_while_it_begins_anew_loses_nothing(tmp_path: Path, after: bool) -> None:
    source = "handle = display('x', display_id=True)\nn = 0\nwhile True: handle.update(str(n) * 100); n += 1"
    path, output = write_notebook(tmp_path / "a.ipynb", "print('kept')", source), tmp_path / "out.ipynb"
    script = KILLED.format(path=str(path), output=str(output), after="count == 3" if after else "False")
    ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=tmp_path)
    assert ended.returncode == -9
    journal = tmp_path / "out.ipynb.journal"
    assert recover_notebook(journal, tmp_path) == output
    assert cell_statuses(output) == ["succeeded", "killed"]
    assert printed(output) == "kept\n"
    shown = read(output)["cells"][1]["outputs"][0]["data"]["text/plain"]
    assert len("".join(shown)) >= 100
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.ipynb", "out.ipynb"], "no part is left"


def test_a_run_whose_journal_begins_anew_is_not_taken_for_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path, "a")
    notebook = new_notebook(json.loads(journal.path.read_text())["notebook"])
    journal.follow(CellOutputs(notebook))
    before, lock = os.stat(journal.path).st_ino, locks.try_lock

    def lock_late(descriptor: int) -> bool:
        journal._begin_anew()
        return lock(descriptor)

    monkeypatch.setattr(recovery, "try_lock", lock_late)
    assert recover_notebook(journal.path, tmp_path) is None
    monkeypatch.undo()
    assert os.stat(journal.path).st_ino != before
    assert recover_notebook(journal.path, tmp_path) is None, "the new file is locked too"
    journal.close()


def test_a_journal_that_cannot_begin_anew_goes_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begun(tmp_path, "a")
    journal.follow(CellOutputs(new_notebook(json.loads(journal.path.read_text())["notebook"])))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    journal._begin_anew()
    monkeypatch.undo()
    journal.cell_started(1)
    journal.message(1, {"msg_type": "stream", "content": {"name": "stdout", "text": "kept"}})
    assert [outputs for outputs, _, _ in recovered(journal)][1][0]["text"] == ["kept"]
