"""A file is a notebook, or one sentence says why not."""

import json
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.document import NotebookDocument


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def code(source: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": "x", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source}


def read(tmp_path: Path, content: object, name: str = "a.ipynb") -> NotebookDocument:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return NotebookDocument.read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{not json", "is no notebook: not JSON"),
        (b"[1, 2]", "is no notebook: its JSON is no object"),
        (b'{"a": 1}', "is no notebook: it has no nbformat number"),
        (b'{"nbformat": 99, "cells": []}', "is nbformat 99; this version reads 1 to 4"),
        (b'{"nbformat": 4}', "is no notebook: it has no list of cells"),
        (b'{"nbformat": 4, "cells": [{}]}', "is no notebook: cell 1 is no code, markdown or raw cell"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "the source of cell 1 is no text"),
        ('{"nbformat": 4, "cells": ["ä"]}'.encode("latin-1"), "is not UTF-8 text"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_with_its_name(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableNotebook) as refused:
        read(tmp_path, content)
    assert str(tmp_path / "a.ipynb") in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableNotebook, match="does not exist"):
        NotebookDocument.read(tmp_path / "no.ipynb")
    with pytest.raises(UnreadableNotebook, match="is a folder"):
        NotebookDocument.read(tmp_path)


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + json.dumps(notebook(code("1"))).encode()).cells[0]["source"] == "1"


def test_saved_outputs_are_left_out(tmp_path: Path) -> None:
    cell = {**code("1"), "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}], "execution_count": 7}
    (read_cell,) = read(tmp_path, notebook(cell)).cells
    assert read_cell["outputs"] == []
    assert read_cell["execution_count"] is None


def test_the_description_is_the_first_markdown_cell(tmp_path: Path) -> None:
    document = read(tmp_path, notebook(code("1"), markdown("# Title\n\nWhat it does."), markdown("more")))
    assert document.description == "Title\n\nWhat it does."


def test_the_code_version_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    base = read(tmp_path, notebook(markdown("a"), code("x = 1"))).code_version
    assert read(tmp_path, notebook(markdown("b"), code("x = 1"), other=1)).code_version == base
    assert read(tmp_path, notebook(markdown("a"), code("x = 2"))).code_version != base
    assert read(tmp_path, notebook(code("x = 1"), kernelspec={"name": "other"})).code_version != base


def test_percent_and_markdown_notebooks_have_parameters_too(tmp_path: Path) -> None:
    percent = b'# %% [markdown]\n# # Title\n\n# %% tags=["parameters"]\nn = 3  # how many\n\n# %%\nprint(n)\n'
    document = read(tmp_path, percent, "a.py")
    assert document.parameters["n"].description == "how many"
    assert document.description == "Title"
    text = b'# Title\n\n```python tags=["parameters"]\nn = 3\n```\n\n```python\nprint(n)\n```\n'
    assert list(read(tmp_path, text, "a.md").parameters) == ["n"]


def test_an_old_notebook_is_upgraded(tmp_path: Path) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "code", "language": "python", "input": "x = 1", "outputs": [], "collapsed": False}
                ]
            }
        ],
    }
    assert [cell["source"] for cell in read(tmp_path, old).cells] == ["x = 1"]


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("R", "n <- 3  # how many\ns = 'a'\nb <- TRUE\ne <- c(1, 2)", {"n": 3, "s": "a", "b": True}),
        ("bash", "n=3  # how many\ns='a b'\nexport w=word", {"n": 3, "s": "a b", "w": "word"}),
        ("julia", 'n = 3 # how many\ns = "a"\nb = false', {"n": 3, "s": "a", "b": False}),
    ],
)
def test_parameters_of_other_languages_are_read(
    tmp_path: Path, language: str, source: str, expected: dict[str, Any]
) -> None:
    document = read(tmp_path, notebook(code(source, "parameters"), kernelspec={"name": "x", "language": language}))
    literals = {n: p.default for n, p in document.parameters.items() if p.expression is None}
    assert literals == expected
    assert document.parameters["n"].description == "how many"


def test_a_notebook_is_read_from_a_url(tmp_path: Path) -> None:
    from upath import UPath

    UPath("memory://notebooks/a.ipynb").write_text(json.dumps(notebook(code("n = 1", "parameters"))))
    assert list(NotebookDocument.read("memory://notebooks/a.ipynb").parameters) == ["n"]
