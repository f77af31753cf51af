"""What a cell shows is kept up to a limit; where something was left out, a mark says so, and the run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import Limits, NotebookRun
from tests.notebooks import write_notebook


def run(folder: Path, *cells: str, **limits: int) -> tuple[Any, list[str], list[list[dict[str, Any]]]]:
    """The result, the warnings, and the outputs of each cell."""
    path = write_notebook(folder / "a.ipynb", *cells)
    background = BackgroundRun(NotebookRun(path, output=folder / "out.ipynb", limits=Limits(timeout=60, **limits)))
    warnings = [event.message for event in background.events() if isinstance(event, events.Warned)]
    result = background.result()
    executed = json.loads(Path(result.executed_notebook).read_text(encoding="utf-8"))
    return result, warnings, [cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"]


def text(output: dict[str, Any]) -> str:
    return "".join(output["text"])


def test_a_cell_that_prints_too_much_is_cut_with_a_mark(tmp_path: Path) -> None:
    result, warnings, (printed, after) = run(
        tmp_path, "for _ in range(10_000): print('x' * 99)", "1", max_cell_output=50_000
    )
    assert result.ok
    assert len(text(printed[0])) < 51_000
    mark = "the cell's output was cut here, after 50 kB; max_cell_output says how much is kept"
    assert text(printed[-1]).endswith(f"[nb_dagster: {mark}]\n")
    assert warnings == [f"cell 1: {mark}"]
    assert after[0]["data"]["text/plain"] == ["1"]


def test_all_cells_together_have_a_limit_too(tmp_path: Path) -> None:
    result, warnings, shown = run(tmp_path, "print('a' * 30_000)", "print('b' * 30_000)", "1", max_output=50_000)
    assert result.ok
    assert len(text(shown[0][0])) == 30_001
    assert "max_output says how much is kept" in text(shown[1][-1])
    assert warnings == ["cell 2: the notebook's output was cut here, after 50 kB; max_output says how much is kept"]


def test_an_error_is_kept_whatever_was_shown_before(tmp_path: Path) -> None:
    result, _, (shown,) = run(tmp_path, "print('x' * 99_999)\nraise ValueError('why')", max_cell_output=1000)
    assert result.error is not None
    assert result.error.message == "why"
    assert shown[-1]["ename"] == "ValueError"


def test_records_are_kept_whatever_was_shown_before(tmp_path: Path) -> None:
    result, _, _ = run(tmp_path, "print('x' * 99_999)\nnb.metric('auc', 0.5)", max_cell_output=1000)
    assert result.metrics == {"auc": 0.5}


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(50_000): print(f'\\r{n}', end='')",
        "from IPython.display import clear_output\nfor n in range(200): print('x' * 1000); clear_output()",
        "handle = display('x', display_id=True)\nfor n in range(300): handle.update('y' * 1000)",
    ],
    ids=["progress bar", "cleared", "updated in place"],
)
def test_what_is_overwritten_does_not_count(tmp_path: Path, source: str) -> None:
    result, warnings, _ = run(tmp_path, source, max_cell_output=20_000)
    assert result.ok
    assert warnings == []


def test_no_limit_is_a_limit_of_none(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('x' * 30_000_000)")
    limits = Limits(max_cell_output=None, max_output=None)
    result = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb", limits=limits)).result()
    assert result.ok
    assert Path(result.executed_notebook).stat().st_size > 30_000_000


@pytest.mark.parametrize("name", ["max_cell_output", "max_output"])
def test_a_limit_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is a number of characters, not -1"):
        Limits(**{name: -1})
