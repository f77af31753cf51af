"""What cells show is kept up to a limit; where something was left out, a mark says so, and the run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

import nb_dagster as nbd
from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.executed import new_notebook
from nb_dagster.runner.limits import Limits, OutputLimits
from nb_dagster.runner.listener import Listener
from nb_dagster.runner.outputs import CellOutputs
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import write_notebook


def run(folder: Path, *cells: str, **limits: int) -> tuple[Any, list[str], list[list[dict[str, Any]]]]:
    """The result, the warnings, and the outputs of each cell."""
    path = write_notebook(folder / "a.ipynb", *cells)
    bounds = Limits(timeout=60, output=OutputLimits(**limits))
    background = BackgroundRun(NotebookRun(path, output=folder / "out.ipynb", limits=bounds))
    warnings = [event.message for event in background.events() if isinstance(event, events.Warned)]
    result = background.result()
    executed = json.loads(Path(result.executed_notebook).read_text(encoding="utf-8"))
    return result, warnings, [cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"]


def text(output: dict[str, Any]) -> str:
    return "".join(output["text"])


def test_a_cell_that_prints_too_much_is_cut_with_a_mark(tmp_path: Path) -> None:
    result, warnings, (printed, after) = run(tmp_path, "for _ in range(10_000): print('x' * 99)", "1", cell=50_000)
    assert result.ok
    assert len(text(printed[0])) < 51_000
    mark = "the cell's output was cut here, after 50 kB; OutputLimits.cell says how much is kept"
    assert text(printed[-1]).endswith(f"[nb_dagster: {mark}]\n")
    assert warnings == [f"cell 1: {mark}"]
    assert after[0]["data"]["text/plain"] == ["1"]


def test_all_cells_together_have_a_limit_too(tmp_path: Path) -> None:
    result, warnings, shown = run(tmp_path, "print('a' * 30_000)", "print('b' * 30_000)", "1", notebook=50_000)
    assert result.ok
    assert len(text(shown[0][0])) == 30_001
    assert "OutputLimits.notebook says how much is kept" in text(shown[1][-1])
    assert warnings == [
        "cell 2: the notebook's output was cut here, after 50 kB; OutputLimits.notebook says how much is kept"
    ]


def test_an_error_is_kept_whatever_was_shown_before(tmp_path: Path) -> None:
    result, _, (shown,) = run(tmp_path, "print('x' * 99_999)\nraise ValueError('why')", cell=1000)
    assert result.error is not None
    assert result.error.message == "why"
    assert shown[-1]["ename"] == "ValueError"


def test_records_are_kept_whatever_was_shown_before(tmp_path: Path) -> None:
    result, _, _ = run(tmp_path, "print('x' * 99_999)\nnb.metric('auc', 0.5)", cell=1000)
    assert result.metrics == {"auc": 0.5}


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(300): display(n)",
        "import sys\nfor n in range(300): print('o', flush=True); print('e', file=sys.stderr, flush=True)",
        "handle = display('x', display_id=True)\nhandle.update('y' * 60_000)",
        "for n in range(3): handle = display('x', display_id='a')\nhandle.update('y' * 9_000)",
        "for n in range(3): display('x', display_id='a')\ndisplay('y' * 6_000, display_id='a')",
        "from ipywidgets import IntSlider\nsliders = [IntSlider() for n in range(40)]",
    ],
    ids=["many", "streams in turn", "an update", "an update of many", "shown again", "widgets"],
)
def test_whatever_a_cell_shows_counts(tmp_path: Path, source: str) -> None:
    result, warnings, _ = run(tmp_path, source, "1", cell=20_000)
    assert result.ok
    assert warnings == ["cell 1: the cell's output was cut here, after 20 kB; OutputLimits.cell says how much is kept"]
    assert Path(result.executed_notebook).stat().st_size < 60_000


def test_what_is_left_out_is_a_sign_of_life() -> None:
    signs: list[str] = []

    class Ear(Listener):
        def heard(self) -> None:
            signs.append("heard")

        def shown(self, cell: int, message: dict[str, Any]) -> None:
            signs.append("shown")

    notebook = new_notebook({"cells": [{"cell_type": "code", "metadata": {}, "source": "", "outputs": []}]})
    outputs = CellOutputs(notebook, listener=Ear(), limits=OutputLimits(cell=0))
    content = {"name": "stdout", "text": "x"}
    for _ in range(3):
        message = {"msg_type": "stream", "header": {"msg_type": "stream"}, "parent_header": {}, "content": content}
        outputs.process_message(message, notebook.cells[0], 0)
    assert signs == ["heard", "shown", "heard", "heard"], "the mark is shown once"


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(50_000): print(f'\\r{n}', end='')",
        "from IPython.display import clear_output\nfor n in range(200): print('x' * 1000); clear_output()",
        "handle = display('x', display_id=True)\nfor n in range(300): handle.update('y' * 1000)",
        "for n in range(300): nb.metric('n', n)\nfor n in range(100_000): print(f'\\r{n}', end='')",
    ],
    ids=["progress bar", "cleared", "updated in place", "beside records"],
)
def test_what_is_overwritten_does_not_count(tmp_path: Path, source: str) -> None:
    result, warnings, _ = run(tmp_path, source, cell=20_000)
    assert result.ok
    assert warnings == []


def test_no_limit_is_a_limit_of_none(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('x' * 30_000_000)")
    limits = Limits(output=OutputLimits(cell=None, notebook=None))
    result = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb", limits=limits)).result()
    assert result.ok
    assert Path(result.executed_notebook).stat().st_size > 30_000_000


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"cell": -1}, "cell is a number of characters, at least 0, or None for no limit, not -1"),
        ({"figures": 2.5}, "figures is a number of figures, at least 0, or None for no limit, not 2.5"),
        ({"records": True}, "records is a number of records, at least 0, or None for no limit, not True"),
        ({"events": 0}, "events is a number of log entries, at least 1, or None for no limit, not 0"),
    ],
)
def test_a_limit_that_is_none_is_refused(limit: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^output_limits: {words}$"):
        OutputLimits(**limit)


def test_limits_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^output_limits is an OutputLimits\(...\), not \{'cell': 5\}$"):
        nbd.run_notebook("a.ipynb", output_limits={"cell": 5})  # type: ignore[arg-type]
