"""Whatever stands in a parameters cell, reading it neither runs nor breaks anything."""

import contextlib
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.annotations import parse_type
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.languages import infer_by_line

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True).filter(lambda name: name.isidentifier())
ASSIGNMENTS = st.tuples(st.text("$_ab.1ß=[]{}: \u2018", max_size=6), st.sampled_from(["=", " <- ", " = ", "=="])).map(
    lambda parts: f"{parts[0]}{parts[1]}1"
)
COMMENTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)


@given(NAMES, LITERALS)
def test_a_literal_default_is_read_as_python_would(name: str, value: Any) -> None:
    import keyword

    if keyword.iskeyword(name):
        return
    parameter = infer_python(f"{name} = {value!r}", "a.ipynb")[name]
    assert parameter.default == value
    assert parameter.type.check(parameter.default) == value


@given(LITERALS, COMMENTS)
def test_the_comment_is_the_description(value: Any, comment: str) -> None:
    text = comment.strip().lstrip("#").strip()
    if text.startswith("type:"):
        return
    assert infer_python(f"p = {value!r}  # {text}", "a.ipynb")["p"].description == text


@given(st.text())
def test_any_text_is_read_or_refused_in_words(source: str) -> None:
    with contextlib.suppress(UnreadableNotebook):
        infer_python(source, "a.ipynb")


@given(st.text())
def test_any_text_is_some_type(text: str) -> None:
    assert str(parse_type(text)) is not None


@given(st.text() | ASSIGNMENTS, st.sampled_from(["r", "bash", "julia", "powershell", "scala"]))
def test_any_text_of_another_language_is_read(source: str, language: str) -> None:
    for parameter in infer_by_line(source, language).values():
        name = parameter.name.replace(".", "") if language == "r" else parameter.name
        assert name.isidentifier() or (name, language) == ("", "r")
        assert name.isascii() or language not in ("bash", "powershell")
