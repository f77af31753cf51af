"""What is told of a notebook's code without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.project.code import UndefinedName, recorded_names, undefined_names, unused_parameters
from tests.notebooks import write_notebook


def read(folder: Path, *cells: str, parameters: str | None = None) -> NotebookDocument:
    return NotebookDocument.read(write_notebook(folder / "a.ipynb", *cells, parameters=parameters))


def test_a_name_that_nothing_defines_is_found_with_its_cell_and_line(tmp_path: Path) -> None:
    document = read(tmp_path, "x = 1", "y = x\n\ny + zz", parameters="n: int")
    assert undefined_names(document) == [UndefinedName("zz", 3, 3)]


@pytest.mark.parametrize(
    "code",
    [
        "print(n, display, get_ipython(), In, Out, _, __name__)",
        "await nb.nothing()",
        "def f():\n    return later\nlater = 1",
        "from math import *\nsin(1)",
        "!echo {n}\nfiles = !ls\nfiles",
        "%matplotlib inline\n%pip install pandas",
        "%time x = 1\nx",
        "%%time\nx = 1\nx",
        "%%capture out\nx = 1",
        "%%bash\necho $undefined",
        "%%html\n<b>undefined</b>",
        "%run other.ipynb\ndefined_there",
        "%%sql rows << select 1\n1",
        "this is no python",
        "n?",
        '"\\d"',
    ],
)
def test_what_a_notebook_may_well_say_is_no_undefined_name(tmp_path: Path, code: str) -> None:
    assert undefined_names(read(tmp_path, code, parameters="n: int")) == []


def test_names_that_a_captured_cell_defines_are_known_later(tmp_path: Path) -> None:
    assert undefined_names(read(tmp_path, "1", "%%capture out\nx = 1", "out.show(x)")) == []


def test_other_languages_are_not_judged() -> None:
    assert undefined_names(NotebookDocument.read("tests/cases/bash_kernel.ipynb")) == []


def test_a_parameter_that_no_other_line_speaks_of_is_unused(tmp_path: Path) -> None:
    parameters = "used = 1\nunused = 2\nbase = 3\nderived = base + 1"
    document = read(tmp_path, "print(used, derived)", parameters=parameters)
    assert list(unused_parameters(document)) == ["unused"]


def test_the_outputs_and_checks_that_code_names_are_found_once_each(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "for i in range(2):\n    nb.output('rows', i)\nnb.output('rows', 3)",
        "%time nb.check('fine', True)\nnb.output(f'rows_{i}', i)",
        "this is no python: nb.output('x')",
        "other.output('y', 1)",
    )
    assert (recorded_names(document, "output"), recorded_names(document, "check")) == (["rows"], ["fine"])
