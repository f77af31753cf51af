"""A value is of its declared type, or it is refused."""

from datetime import date, datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.annotations import parse_type
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.parameters import check_parameters, fill_context
from nb_dagster.notebook.types import AnyType, PathType, StrType


@pytest.mark.parametrize(
    ("declared", "value", "checked"),
    [
        ("int", 3, 3),
        ("int", np.int64(3), 3),
        ("float", 3, 3.0),
        ("float", np.float32(0.5), 0.5),
        ("str", "a", "a"),
        ("bool", True, True),
        ("list[int]", (1, 2), [1, 2]),
        ("dict[str, list[int]]", {"a": [1]}, {"a": [1]}),
        ("int | None", None, None),
        ("Literal['a', 1]", 1, 1),
        ("date", date(2026, 1, 31), "2026-01-31"),
        ("date", "2026-01-31", "2026-01-31"),
        ("datetime", datetime(2026, 1, 31, tzinfo=timezone.utc), "2026-01-31T00:00:00+00:00"),
        ("datetime", "2026-01-31T06:00:00Z", "2026-01-31T06:00:00+00:00"),
        ("Path", Path("a/b"), "a/b"),
        ("Any", {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
    ],
)
def test_a_value_of_the_type_becomes_json(declared: str, value: Any, checked: Any) -> None:
    result = parse_type(declared).check(value)
    assert result == checked
    assert type(result) is type(checked)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("int", "3"),
        ("int", 3.0),
        ("int", True),
        ("float", "x"),
        ("float", float("nan")),
        ("float", float("inf")),
        ("bool", 1),
        ("str", 3),
        ("list[int]", [1, "x"]),
        ("list", "abc"),
        ("dict", [1]),
        ("dict", {1: 2}),
        ("int | None", "x"),
        ("Literal['a', 'b']", "c"),
        ("Literal[1]", True),
        ("date", "31.1.2026"),
        ("date", datetime(2026, 1, 31, tzinfo=timezone.utc)),
        ("Path", "a\0b"),
        ("Annotated[int, Field(ge=1)]", 0),
        ("Any", object()),
        ("Any", {"a": {1, 2}}),
    ],
)
def test_any_other_value_is_refused(declared: str, value: Any) -> None:
    with pytest.raises(ValueError, match="not "):
        parse_type(declared).check(value)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("int", "3", 3),
        ("float", "3", 3.0),
        ("str", "3", "3"),
        ("str", "", ""),
        ("bool", "true", True),
        ("bool", "no", False),
        ("list", '["a","b"]', ["a", "b"]),
        ("dict", '{"a": 1}', {"a": 1}),
        ("int | None", "null", None),
        ("str | None", "x", "x"),
        ("int | str", "3", 3),
        ("int | str", "x", "x"),
        ("Literal['a', 1]", "1", 1),
        ("date", "2026-01-31", "2026-01-31"),
        ("Any", "3", 3),
        ("Any", "plain text", "plain text"),
    ],
)
def test_text_of_a_command_line_is_read_by_the_type(declared: str, text: str, value: Any) -> None:
    assert parse_type(declared).read(text) == value


@pytest.mark.parametrize(("declared", "text"), [("int", "3.5"), ("bool", "maybe"), ("list", "a,b"), ("float", "nan")])
def test_text_that_is_no_such_value_is_refused(declared: str, text: str) -> None:
    with pytest.raises(ValueError, match="not the text"):
        parse_type(declared).read(text)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    declared = infer_python("epochs = 3\nrate = 0.1", "a.ipynb")
    with pytest.raises(InvalidParameter, match=r"no parameter 'epoch'; did you mean 'epochs'\?"):
        check_parameters(declared, {"epoch": 3}, "a.ipynb")


def test_a_refusal_names_parameter_type_line_and_value() -> None:
    declared = infer_python("a = 1\nn: int = 3", "a.ipynb")
    with pytest.raises(InvalidParameter, match=r"a\.ipynb: parameter 'n' must be int \(line 2 .*\), not the text 'x'"):
        check_parameters(declared, {"n": "x"}, "a.ipynb")


def test_missing_required_parameters_are_named() -> None:
    declared = infer_python("n: int\nday: date", "a.ipynb")
    with pytest.raises(InvalidParameter, match=r"no value for the required parameter 'n' \(int\), 'day' \(date\)"):
        check_parameters(declared, {}, "a.ipynb")


def test_context_fills_only_declared_names_of_a_fitting_type() -> None:
    declared = infer_python("run_id = ''\ncommit: bool = True\nattempt: int = 1\nn = 3", "a.ipynb")
    context = {"run_id": "r1", "commit": "abc", "attempt": 2, "workflow": "w"}
    assert fill_context(declared, {"attempt": 7}, context) == {"attempt": 7, "run_id": "r1"}


def test_a_subclass_of_text_is_its_text_however_it_shows_itself() -> None:
    class Mode(str, Enum):
        FAST = "fast"

    for declared in (StrType(), AnyType(), PathType()):
        assert repr(declared.check(Mode.FAST)) == "'fast'"
    assert repr(AnyType().check({Mode.FAST: (Mode.FAST,)})) == "{'fast': ['fast']}"


def test_json_on_a_command_line_that_no_value_may_be_is_not_taken_as_text() -> None:
    with pytest.raises(ValueError, match="Dagster reads it as a value of its own"):
        AnyType().read('{"__class__": "x"}')
    assert AnyType().read("{no json") == "{no json"
