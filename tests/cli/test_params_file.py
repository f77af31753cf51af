"""A parameters file is plain data: what YAML or JSON could make more of is text, or refused with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from nb_dagster.cli.parameters import read_parameters
from nb_dagster.cli.params_file import read_params_file
from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.plain_yaml import dump_yaml
from tests.hostile import VALUES
from tests.notebooks import write_notebook

WORDS = [
    "010",
    "0o10",
    "0x10",
    "1_000",
    "12:30",
    "12:30:00",
    "2026-01-31",
    "2026-01-31 06:00:00",
    "yes",
    "no",
    "on",
    "Off",
    "y",
]


def read(folder: Path, text: str | bytes, name: str = "params.yaml") -> Any:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_params_file(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params")


@pytest.mark.parametrize("word", [*WORDS, "=", "<<", ".nan", ".inf"])
def test_a_word_that_json_does_not_know_is_text(folder: Path, word: str) -> None:
    assert read(folder, f"a: {word}\n{word}: 1") == {"a": word, word: 1}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("~", None), ("-3", -3), ("0", 0), ("1e3", 1000.0), (".5", 0.5)]
)
def test_the_others_are_what_they_are_in_json(folder: Path, text: str, value: object) -> None:
    assert repr(read(folder, f"a: {text}")) == repr({"a": value})


@settings(max_examples=50)  # YAML takes its time
@example({"0E0": "+.5", "a": {"1e5": "1E-5"}})
@given(values=st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, max_size=3))
def test_whatever_is_written_is_read_back(folder: Path, values: dict[str, Any]) -> None:
    try:
        text = dump_yaml(values)
        text.encode()
    except UnicodeEncodeError:
        return
    assert read(folder, text) == values


BOMB = "a: &a [x, x]\n" + "".join(
    f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'}, *{'a' if n == 0 else f'b{n - 1}'}]\n" for n in range(60)
)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "p.yaml",
            "a: !!python/object/apply:os.system ['touch pwned']",
            "could not determine a constructor for the tag",
        ),
        ("p.yaml", "!!python/name:os.system x", "could not determine a constructor for the tag"),
        ("p.yaml", BOMB, "line 2 has an alias; write the value out"),
        ("p.yaml", "a: 1\na: 2", "the text 'a' is in one mapping twice"),
        ("p.json", '{"a": 1, "a": 2}', "the text 'a' is in one mapping twice"),
        ("p.json", '{"a": {"b": 1, "b": 2}}', "the text 'b' is in one mapping twice"),
        ("p.yaml", "1: x", "a parameter's name is text, not 1; put it in quotes"),
        ("p.yaml", "true: x", "a parameter's name is text, not True; put it in quotes"),
        ("p.yaml", "? [a]\n: x", "unhashable"),
        ("p.yaml", "a: " + "[" * 5_000, "is nested too deep"),
        ("p.json", "[" * 100_000, "is nested too deep"),
        ("p.yaml", "a: 1\n---\nb: 2", "expected a single document"),
        ("p.yaml", b"\xff\xfe", "cannot be read"),
        ("p.yaml", "a: \0", "special characters are not allowed"),
        ("p.json", "a" * 10_000_001, "has at most 10 MB"),
    ],
)
def test_what_is_more_than_data_is_refused_in_one_sentence(
    folder: Path, name: str, text: str | bytes, why: str
) -> None:
    with pytest.raises(InvalidParameter, match=why) as refused:
        read(folder, text, name)
    assert str(refused.value).startswith(f"{folder / name}: ")
    assert "\n" not in str(refused.value)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "text", ["!!binary aGk=", "!!timestamp 2026-01-01", "!!set {a}", "[!!binary aGk=]", "{1: x}", ".nan"]
)
def test_a_value_that_is_no_json_is_refused_by_its_parameter(folder: Path, text: str) -> None:
    document = NotebookDocument.read(write_notebook(folder / "a.ipynb", "1", parameters="a: float | list | dict"))
    (folder / "p.yaml").write_text(f"a: {text}")
    with pytest.raises(InvalidParameter, match=r"parameter 'a' must be float \| list \| dict"):
        read_parameters(document.parameters, document.path, (), folder / "p.yaml")


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="has at most 10 MB"):
        read_params_file(Path("/dev/zero"))
