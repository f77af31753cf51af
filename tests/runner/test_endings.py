"""How a run ends for the notebook: with its exit handlers when it is done, without them when it was stopped."""

from pathlib import Path

import nb_dagster as nbd
from nb_dagster.runner.background import settle
from tests.notebooks import write_notebook


def test_exit_handlers_run_when_the_cells_are_done(tmp_path: Path) -> None:
    said = tmp_path / "said"
    source = f"import atexit, pathlib\natexit.register(lambda: pathlib.Path({str(said)!r}).write_text('bye'))"
    assert nbd.run_notebook(write_notebook(tmp_path / "a.ipynb", source), output=tmp_path / "out.ipynb").ok
    settle()
    assert said.read_text() == "bye"


def test_exit_handlers_run_after_a_failure_too(tmp_path: Path) -> None:
    said = tmp_path / "said"
    source = f"import atexit, pathlib\natexit.register(lambda: pathlib.Path({str(said)!r}).write_text('bye'))\n1 / 0"
    result = nbd.run_notebook(write_notebook(tmp_path / "a.ipynb", source), output=tmp_path / "out.ipynb")
    assert result.status == "failed"
    settle()
    assert said.read_text() == "bye"


def test_the_line_of_an_error_counts_blank_lines_before_it(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "x = 1", "\n\ny = 2\n1 / 0")
    error = nbd.run_notebook(path, output=tmp_path / "out.ipynb").error
    assert error is not None
    assert (error.number, error.line) == (2, 4)
