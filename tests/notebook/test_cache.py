"""What was read of a notebook before is known by its bytes; whatever happens to the file, no notebook is read wrongly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook import cache
from nb_dagster.notebook.cache import NotebookCache
from nb_dagster.notebook.compound_types import BoundedType, ChoiceType, DictType, ListType, UnionType
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.facts import pack_facts, unpack_facts
from nb_dagster.notebook.formats import parse_notebook
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter
from nb_dagster.notebook.types import (
    AnyType,
    BoolType,
    DatetimeType,
    DateType,
    FloatType,
    IntType,
    NoneType,
    ParameterType,
    PathType,
    StrType,
)
from tests.notebooks import write_notebook

CASES = Path(__file__).parent.parent / "cases"
PARAMETERS = """\
n: int = 3  # how many
rate: Annotated[float, Field(gt=0, le=1)] = 0.5
mode: Literal["fast", 1, True] = "fast"
sizes: tuple[int | None, ...] = (1, 2)
day: date  # required
later = datetime.now()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".nb_dagster" / "notebooks.cache"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    source = "import pandas\nprint('\\t \u2028 \x85 ä \N{GRINNING FACE}')\n"
    return write_notebook(tmp_path / "a.ipynb", source, parameters=PARAMETERS, text="# What it does\n\nin words")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the notebooks that were parsed."""
    names: list[str] = []

    def parse(name: str, raw: bytes) -> dict[str, Any]:
        names.append(Path(name).name)
        return parse_notebook(name, raw)

    monkeypatch.setattr(cache, "parse_notebook", parse)
    return names


def everything_of(document: NotebookDocument) -> dict[str, Any]:
    attributes = ("path", "sha256", "name", "kernel", "language", "description", "preload", "code_version")
    parameters = [(name, repr(each)) for name, each in document.parameters.items()]  # 1 is not True here
    cells = [{**cell, "id": None} for cell in document.cells]  # where the file has none, reading draws one
    content = json.dumps({**document.content, "cells": cells})
    return {name: getattr(document, name) for name in attributes} | {"parameters": parameters, "content": content}


def assert_read_as_ever(file: Path, notebook: Path) -> None:
    assert everything_of(NotebookCache(file).read(notebook)) == everything_of(NotebookDocument.read(notebook))


@pytest.mark.parametrize(
    "case",
    sorted(each for each in CASES.glob("*.*") if each.suffix in (".ipynb", ".py", ".md")),
    ids=lambda path: path.name,
)
def test_a_known_notebook_is_the_notebook_as_it_is_read(file: Path, case: Path, parsed: list[str]) -> None:
    for _ in range(2):
        assert_read_as_ever(file, case)
    assert parsed == [case.name]


@pytest.mark.parametrize("case", sorted((CASES / "broken").glob("*")), ids=lambda path: path.name)
def test_an_unreadable_notebook_is_refused_with_the_same_words_each_time(file: Path, case: Path) -> None:
    with pytest.raises(UnreadableNotebook) as first:
        _ = NotebookDocument.read(case).parameters
    for _ in range(2):
        with pytest.raises(UnreadableNotebook) as refused:
            _ = NotebookCache(file).read(case).parameters
        assert str(refused.value) == str(first.value)


def test_a_notebook_of_several_definitions_is_parsed_once(file: Path, notebook: Path, parsed: list[str]) -> None:
    notebooks = NotebookCache(file)
    for _ in range(3):
        notebooks.read(notebook)
    assert parsed == ["a.ipynb"]


def test_an_edit_is_seen_though_neither_size_nor_time_tells(file: Path, notebook: Path) -> None:
    assert NotebookCache(file).read(notebook).parameters["n"].default == 3
    times = notebook.stat()
    notebook.write_bytes(notebook.read_bytes().replace(b"n: int = 3", b"n: int = 4"))
    os.utime(notebook, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert notebook.stat().st_size == times.st_size
    assert NotebookCache(file).read(notebook).parameters["n"].default == 4


def test_what_is_known_goes_with_the_bytes_and_not_with_the_place(
    file: Path, notebook: Path, tmp_path: Path, parsed: list[str]
) -> None:
    NotebookCache(file).read(notebook)
    moved = notebook.rename(tmp_path / "b.ipynb")
    assert_read_as_ever(file, moved)
    assert parsed == ["a.ipynb"]


def test_the_same_bytes_are_another_notebook_under_another_ending(file: Path, notebook: Path, tmp_path: Path) -> None:
    script = tmp_path / "a.md"
    script.write_bytes(notebook.read_bytes())
    for _ in range(2):
        assert_read_as_ever(file, notebook)
        assert_read_as_ever(file, script)


def test_what_another_version_has_read_does_not_count(
    file: Path, notebook: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    NotebookCache(file).read(notebook)
    monkeypatch.setattr(cache, "_reader", lambda: "another")
    assert_read_as_ever(file, notebook)
    assert parsed == ["a.ipynb", "a.ipynb"]


def test_a_choice_that_json_has_no_form_for_is_read_from_the_notebook(tmp_path: Path, file: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1", parameters='p: Literal[b"x", 1] = 1\nq: Literal[[1], 2] = 2')
    for _ in range(2):
        assert_read_as_ever(file, path)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"no cache at all\n",
    "noise": lambda known: bytes(each ^ 0xA5 for each in known),
    "cut off": lambda known: known[: len(known) // 2],
    "without its end": lambda known: known[:-1],
    "only its head": lambda known: known.split(b"\n")[0] + b"\n",
    "half a line before": lambda known: known.replace(b"\n", b"\n0123", 1),
    "lines of others": lambda known: known + b"\n\t\t\n\x00\xff\n" * 3,
    "other facts": lambda known: known.replace(b"how many", b"how much"),
    "no facts": lambda known: known.replace(b'"parameters"', b'"parametres"'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_file_is_no_file(file: Path, notebook: Path, damage: Callable[[bytes], bytes]) -> None:
    NotebookCache(file).read(notebook)
    file.write_bytes(damage(file.read_bytes()))
    for _ in range(2):
        assert_read_as_ever(file, notebook)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_after_a_broken_file_notebooks_are_known_again(
    file: Path, notebook: Path, parsed: list[str], damage: Callable[[bytes], bytes]
) -> None:
    NotebookCache(file).read(notebook)
    file.write_bytes(damage(file.read_bytes()))
    for _ in range(3):  # a half line takes the next one with it
        NotebookCache(file).read(notebook)
    parsed.clear()
    NotebookCache(file).read(notebook)
    assert parsed == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_one_wrong_byte_anywhere_changes_no_notebook(file: Path, notebook: Path, position: float, byte: int) -> None:
    file.unlink(missing_ok=True)
    NotebookCache(file).read(notebook)
    known = bytearray(file.read_bytes())
    known[int(position * len(known))] = byte
    file.write_bytes(bytes(known))
    assert_read_as_ever(file, notebook)


def test_a_file_that_changes_while_it_is_in_use_changes_no_notebook(file: Path, notebook: Path) -> None:
    NotebookCache(file).read(notebook)
    notebooks = NotebookCache(file)
    file.write_bytes(b"x" * 10_000)
    assert everything_of(notebooks.read(notebook)) == everything_of(NotebookDocument.read(notebook))
    file.unlink()
    assert everything_of(notebooks.read(notebook)) == everything_of(NotebookDocument.read(notebook))


def test_where_nothing_can_be_written_notebooks_are_read(tmp_path: Path, notebook: Path) -> None:
    (tmp_path / "taken").write_text("a file, and no folder")
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "taken" / "notebooks.cache", tmp_path / "folder", Path("/proc/notebooks.cache")):
        assert_read_as_ever(file, notebook)


def test_it_grows_no_further_than_its_limit(
    file: Path, notebook: Path, tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 20_000)
    NotebookCache(file).read(notebook)
    others = [write_notebook(tmp_path / f"{number}.ipynb", f"{number}", "#" * 900) for number in range(30)]
    for each in others:
        assert_read_as_ever(file, each)
    assert 10_000 < file.stat().st_size <= 20_000
    parsed.clear()
    NotebookCache(file).read(notebook)
    assert parsed == []


def test_it_starts_anew_each_month(
    file: Path, notebook: Path, tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_notebook(tmp_path / "other.ipynb", "1", "#" * 5000)
    for each in (notebook, other):
        NotebookCache(file).read(each)
    size = file.stat().st_size
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2099, 1, 1, 0, 0, 0, 0, 1, 0)))
    for _ in range(2):
        assert_read_as_ever(file, notebook)
    assert parsed == ["a.ipynb", "other.ipynb", "a.ipynb"]
    assert file.stat().st_size < size


READ_ALL = """\
import sys
from pathlib import Path
from nb_dagster.notebook.cache import NotebookCache
notebooks = NotebookCache(Path(sys.argv[1]))
for path in sorted(Path(sys.argv[2]).glob("*.ipynb")):
    assert notebooks.read(path).parameters["n"].default == int(path.stem)
"""


def test_several_processes_at_once_know_all_notebooks_in_the_end(file: Path, tmp_path: Path, parsed: list[str]) -> None:
    folder = tmp_path / "notebooks"
    notebooks = [
        write_notebook(folder / f"{number}.ipynb", "#" * 5000, parameters=f"n = {number}") for number in range(60)
    ]
    command = [sys.executable, "-c", READ_ALL, str(file), str(folder)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in running] == [("", 0)] * 4
    for each in notebooks:
        assert_read_as_ever(file, each)
    assert parsed == []


LITERALS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
PLAIN_TYPES = [AnyType(), NoneType(), BoolType(), IntType(), FloatType(), StrType(), PathType(), DateType()]
TYPES: st.SearchStrategy[ParameterType] = st.recursive(
    st.sampled_from([*PLAIN_TYPES, DatetimeType()])
    | st.builds(AnyType, st.text())
    | st.builds(ChoiceType, st.lists(LITERALS, max_size=4).map(tuple))
    | st.builds(BoundedType, st.sampled_from([IntType(), FloatType()]), st.none() | st.integers(), le=st.floats(0, 1)),
    lambda inner: (
        st.builds(ListType, inner, st.booleans())
        | st.builds(DictType, inner)
        | st.builds(UnionType, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
JSON_VALUES = st.recursive(LITERALS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@given(
    st.builds(
        Parameter,
        st.text(),
        TYPES,
        JSON_VALUES | st.just(NO_DEFAULT),
        expression=st.none() | st.text(),
        description=st.text(),
        line=st.integers(0),
    )
)
def test_any_parameter_is_read_back_as_it_is(parameter: Parameter) -> None:
    document = NotebookDocument("a.ipynb", {"cells": [], "metadata": {}}, "")
    vars(document)["parameters"] = {parameter.name: parameter}
    facts = unpack_facts(json.loads(json.dumps(pack_facts(document))))
    assert repr(facts["parameters"]) == repr(document.parameters)
    assert facts["parameters"] == document.parameters
