"""Parameters are data: nothing a caller sends becomes code, whatever it is."""

import ast
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.notebook.compound_types import DictType, ListType, UnionType
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.injection import parameters_source
from nb_dagster.notebook.parameters import Parameter, check_parameters
from nb_dagster.notebook.types import AnyType, DatetimeType, DateType, ParameterType, PathType, StrType

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
HOSTILE = st.sampled_from(
    ['"; import os #', "'; import os #", "$(id)", "`id`", "${x}", "\\", '"""', "\n import os", "#{1}", "\0", "'\\''"]
)
TEXTS = st.text() | HOSTILE | st.builds("".join, st.lists(HOSTILE | st.text(max_size=3), max_size=5))


def source_for(declared: ParameterType, value: Any, language: str = "python") -> str:
    parameter = Parameter("p", declared)
    checked = check_parameters({"p": parameter}, {"p": value}, "a.ipynb")
    return parameters_source({"p": parameter}, checked, loaded=(), language=language, kernel=language, owner="a.ipynb")


def run_assignment(source: str) -> Any:
    """Run the injected cell, after proving that it is one assignment of constants and of our fixed constructors."""
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Assign)
    for node in ast.walk(statement.value):
        assert isinstance(node, (ast.expr, ast.expr_context, ast.unaryop, ast.keyword))
        if isinstance(node, ast.Call):
            constructor = ast.unparse(node.func)
            assert constructor in {
                "__import__",
                "__import__('datetime').date.fromisoformat",
                "__import__('datetime').datetime.fromisoformat",
                "__import__('pathlib').Path",
            }
        if isinstance(node, ast.Name):
            assert node.id in ("p", "__import__")
    names: dict[str, Any] = {}
    exec(compile(source, "cell", "exec"), names)
    return names["p"]


@given(JSON_VALUES)
def test_every_json_value_arrives_in_python_as_it_was(value: Any) -> None:
    assert run_assignment(source_for(AnyType(), value)) == value


@given(TEXTS)
def test_every_text_arrives_in_python_as_it_was(text: str) -> None:
    assert run_assignment(source_for(StrType(), text)) == text
    assert run_assignment(source_for(ListType(StrType(), is_tuple=True), [text])) == (text,)
    assert run_assignment(source_for(DictType(), {text: text})) == {text: text}


@given(TEXTS, st.sampled_from([DateType(), DatetimeType(), PathType(), UnionType((DateType(), StrType()))]))
def test_a_text_of_a_special_type_is_refused_or_stays_data(text: str, declared: ParameterType) -> None:
    try:
        source = source_for(declared, text)
    except InvalidParameter:
        return
    run_assignment(source)


@given(st.dictionaries(TEXTS, JSON_VALUES, max_size=3))
def test_a_name_the_notebook_does_not_declare_is_never_written(values: dict[str, Any]) -> None:
    declared = infer_python("n = 3", "a.ipynb")
    try:
        checked = check_parameters(declared, values, "a.ipynb")
    except RunRefused:
        assert set(values) != {"n"} or not isinstance(values["n"], int) or isinstance(values["n"], bool)
        return
    assert set(checked) <= {"n"}


@given(TEXTS)
def test_a_text_arrives_in_bash_as_it_was_or_is_refused(text: str) -> None:
    import subprocess

    try:
        source = source_for(StrType(), text, "bash")
    except InvalidParameter:
        assert "\0" in text
        return
    if not text.isprintable() and "\n" not in text:
        return  # what a terminal does with control characters is not what is asked here
    script = f"{source}\nprintf '%s' \"$p\""
    shown = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=20).stdout
    assert shown.decode("utf-8", "surrogateescape") == text


@pytest.mark.parametrize("language", ["julia", ".net-powershell", "scala", "matlab", ".net-csharp"])
@pytest.mark.parametrize("text", ["$(run(`id`))", "$(whoami)", '"; x', "`id`", "\\u0022", "a\nb"])
def test_a_language_that_interpolates_gets_no_special_characters(language: str, text: str) -> None:
    with pytest.raises(InvalidParameter, match="cannot carry safely"):
        source_for(StrType(), text, language)


def test_a_language_that_interpolates_still_gets_plain_text() -> None:
    assert 'p = "2026-01-31 data/x.csv"' in source_for(StrType(), "2026-01-31 data/x.csv", "julia")
