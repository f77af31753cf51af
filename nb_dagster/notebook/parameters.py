"""The signature of a notebook: its parameters, and values checked against them."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.types import JSON, AnyType, DatetimeType, DateType, ParameterType, PathType


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Final = _NoDefault()

CONTEXT_PARAMETERS: Final = (
    "run_id",
    "workflow",
    "attempt",
    "partition_key",
    "partition_start",
    "partition_end",
    "now",
    "commit",
)
"""Names that are filled from the run where a notebook declares them and nobody gave a value."""


@dataclass(frozen=True)
class Parameter:
    """One typed name of the ``parameters`` cell.

    Attributes:
        name: the variable's name.
        type: what values it takes.
        default: the literal it is set to, as JSON, or ``NO_DEFAULT``.
        expression: the source of a default that is no literal; such a default stays as it is in the notebook.
        description: the trailing comment.
        line: its line in the parameters cell, from 1.
    """

    name: str
    type: ParameterType = field(default_factory=AnyType)
    default: JSON | _NoDefault = NO_DEFAULT
    expression: str | None = None
    description: str = ""
    line: int = 0

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is NO_DEFAULT and self.expression is None

    def is_set_to(self, value: JSON) -> bool:
        """Whether the cell, as it is written, already sets this value in the form its type promises."""
        if isinstance(self.type, (DateType, DatetimeType, PathType)):
            return False
        return json.dumps(self.default if self.default is not NO_DEFAULT else [NO_DEFAULT], default=repr) == json.dumps(
            value
        )

    def check(self, value: object, owner: str) -> JSON:
        """The value as JSON.

        Raises:
            InvalidParameter: it is not of the declared type.
        """
        try:
            return self.type.check(value)
        except ValueError as error:
            raise self._refusal(owner, error) from None

    def read(self, text: str, owner: str) -> JSON:
        """The value that a command line's text means.

        Raises:
            InvalidParameter: the text says no value of the declared type.
        """
        try:
            return self.type.read(text)
        except ValueError as error:
            raise self._refusal(owner, error) from None

    def _refusal(self, owner: str, error: ValueError) -> InvalidParameter:
        place = f" (line {self.line} of its parameters cell)" if self.line else ""
        return InvalidParameter(f"{owner}: parameter {self.name!r} must be {self.type}{place}, {error}")


Parameters = dict[str, Parameter]
"""A notebook's parameters by name, in their order."""


def check_parameters(declared: Parameters, given: Mapping[str, object], owner: str) -> dict[str, JSON]:
    """The given values as JSON, in the order of declaration.

    Args:
        declared: the notebook's parameters.
        given: values by name.
        owner: who declares them, for messages.

    Raises:
        InvalidParameter: a value is unknown, missing or ill-typed.
    """
    for name in given:
        if name not in declared:
            raise InvalidParameter(unknown_parameter(name, declared, owner))
    missing = [parameter for parameter in declared.values() if parameter.required and parameter.name not in given]
    if missing:
        wanted = ", ".join(f"{parameter.name!r} ({parameter.type})" for parameter in missing)
        raise InvalidParameter(f"{owner}: no value for the required parameter {wanted}")
    return {name: parameter.check(given[name], owner) for name, parameter in declared.items() if name in given}


def default_values(declared: Parameters) -> dict[str, JSON]:
    """The literals that the notebook sets, as JSON; one that is not of its own declared type is left out."""
    defaults = {}
    for name, parameter in declared.items():
        if parameter.default is not NO_DEFAULT:
            with contextlib.suppress(ValueError):
                defaults[name] = parameter.type.check(parameter.default)
    return defaults


def unknown_parameter(name: str, declared: Collection[str], owner: str) -> str:
    """The sentence for a name that a notebook does not declare."""
    if not declared:
        return f"{owner}: there is no parameter {name!r}, the notebook declares none (tag a cell 'parameters' to declare some)"
    near = difflib.get_close_matches(str(name), declared, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"{owner}: there is no parameter {name!r};{hint} the notebook declares {', '.join(declared)}"


def fill_context(declared: Parameters, given: Mapping[str, object], context: Mapping[str, object]) -> dict[str, object]:
    """The given values, and those of the run for each context parameter that the notebook declares and nobody gave.

    A declared name whose type does not take the run's value is the author's own, and stays.
    """
    filled = dict(given)
    for name in CONTEXT_PARAMETERS:
        if name in declared and name not in given and context.get(name) is not None:
            try:
                filled[name] = declared[name].type.check(context[name])
            except ValueError:
                continue
    return filled
