"""The cell that gives a run's parameters to the kernel. Values are data: no text a caller sends can become code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.compound_types import ListType, UnionType
from nb_dagster.notebook.literals import LANGUAGES, Unfit
from nb_dagster.notebook.parameters import Parameters
from nb_dagster.notebook.reserved import is_reserved
from nb_dagster.notebook.types import JSON, DatetimeType, DateType, ParameterType, PathType

INJECTED_TAG = "injected-parameters"
PARAMETERS_TAG = "parameters"
_TITLE = "# Parameters of this run"


def parameters_source(
    declared: Parameters, values: Mapping[str, JSON], *, loaded: Collection[str], language: str, kernel: str, owner: str
) -> str:
    """Source of the injected cell.

    Args:
        declared: the notebook's parameters.
        values: checked values by name.
        loaded: names whose values come as files, which ``nb.input`` loads (Python only).
        language: the kernel's language, in lower case.
        kernel: the kernel's name.
        owner: the notebook, for messages.

    Raises:
        InvalidParameter: the kernel's language cannot carry a value safely, or keeps a name for itself.
    """
    for name in (*values, *loaded):
        if is_reserved(name, language):
            raise InvalidParameter(
                f"{owner}: parameter {name!r}: {language} gives this name a meaning of its own; call it otherwise"
            )
    if language in LANGUAGES:
        return _assignments(values, language, owner)
    if language != "python":
        from nb_dagster.notebook.papermill_literals import assign_by_papermill

        return assign_by_papermill(values, kernel, language, owner)
    lines = [_TITLE]
    lines += [f"{name} = {python_literal(values[name], declared[name].type)}" for name in declared if name in values]
    if loaded:
        lines += ["from nb_dagster import nb", *(f'{name} = nb.input("{name}")' for name in declared if name in loaded)]
    return "\n".join(lines)


def python_literal(value: JSON, declared: ParameterType) -> str:
    """A Python expression for a JSON value of a declared type; only literals and four fixed constructors.

    Example:
        >>> python_literal("2026-01-31", DateType())
        "__import__('datetime').date.fromisoformat('2026-01-31')"
    """
    if value is None:
        return "None"
    if isinstance(declared, UnionType):
        return python_literal(value, _member_of(declared, value))
    if isinstance(declared, DateType):
        return f"__import__('datetime').date.fromisoformat({value!r})"
    if isinstance(declared, DatetimeType):
        return f"__import__('datetime').datetime.fromisoformat({value!r})"
    if isinstance(declared, PathType):
        return f"__import__('pathlib').Path({value!r})"
    if isinstance(declared, ListType):
        items = [python_literal(item, declared.item) for item in value]
        return f"({', '.join(items)}{',' * (len(items) == 1)})" if declared.is_tuple else f"[{', '.join(items)}]"
    return repr(value)


def _assignments(values: Mapping[str, JSON], language: str, owner: str) -> str:
    assignment, literal = LANGUAGES[language]
    lines = [_TITLE]
    for name, value in values.items():
        try:
            lines.append(assignment.format(name, literal(value)))
        except Unfit as unfit:
            raise InvalidParameter(f"{owner}: parameter {name!r}: {language} cannot carry {unfit}") from None
    return "\n".join(lines)


def with_parameters(cells: list[dict[str, Any]], injected: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The cells with the injected one behind the ``parameters`` cell, and without that of an earlier run."""
    kept = [each for each in cells if INJECTED_TAG not in each["metadata"].get("tags", [])]
    if injected is not None:
        tagged = [index for index, each in enumerate(kept) if PARAMETERS_TAG in each["metadata"].get("tags", [])]
        kept.insert(tagged[0] + 1 if tagged else 0, injected)
    return kept


def _member_of(declared: UnionType, value: JSON) -> ParameterType:
    for member in declared.members:
        try:
            member.check(value)
        except ValueError:
            continue
        return member
    return declared.members[0]


__all__ = ["INJECTED_TAG", "PARAMETERS_TAG", "parameters_source", "python_literal", "with_parameters"]
