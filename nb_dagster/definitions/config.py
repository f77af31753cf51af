"""The launchpad of a notebook: one config field a parameter. Raw fields, because Pydantic's would accept null."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._config.config_type import ConfigScalar, ConfigScalarKind, ConfigType, ConfigTypeKind
from dagster._config.errors import PostProcessingError
from dagster._core.definitions.definition_config_schema import IDefinitionConfigSchema

from nb_dagster.notebook.compound_types import BoundedType, ChoiceType, DictType, ListType, UnionType
from nb_dagster.notebook.parameters import CONTEXT_PARAMETERS, NO_DEFAULT, Parameter, Parameters
from nb_dagster.notebook.types import (
    JSON,
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


class _CheckedText(ConfigScalar):
    """Text of a declared form, such as a date, checked at launch."""

    def __init__(self, declared: ParameterType, kind: ConfigScalarKind) -> None:
        super().__init__(_key(declared), str(declared), kind)
        self.declared = declared

    def post_process(self, value: Any) -> Any:
        return _checked(self.declared, value)


class _CheckedValue(ConfigType):
    """Any JSON value of a declared type, checked at launch."""

    def __init__(self, declared: ParameterType) -> None:
        super().__init__(_key(declared), ConfigTypeKind.ANY, str(declared))
        self.declared = declared

    def post_process(self, value: Any) -> Any:
        return _checked(self.declared, value)


class _CheckedDict(dg.Map):
    """A dict, whose keys are checked at launch: with some of them Dagster could not read the run any more."""

    def __init__(self, declared: DictType) -> None:
        super().__init__(str, _item_type(declared.value))  # type: ignore[no-untyped-call]
        self.declared = declared

    def post_process(self, value: Any) -> Any:
        return _checked(self.declared, value)


class Launchpad(IDefinitionConfigSchema):
    """The config of an op: a field for each parameter of its notebook.

    The fields are made when somebody asks for them, which a process that runs one step of a thousand does once.
    """

    def __init__(
        self, declared: Parameters, fixed: Mapping[str, JSON], inputs: Collection[str], filled: Collection[str] = ()
    ) -> None:
        """Say what the fields are made from.

        Args:
            declared: the notebook's parameters.
            fixed: values that the definition sets, which become the defaults.
            inputs: names that are filled by upstream values, and are no config.
            filled: names that are filled from the run where the launchpad says nothing.
        """
        self._declared, self._fixed, self._inputs = declared, fixed, inputs
        self._filled = {*CONTEXT_PARAMETERS, *filled}

    def as_field(self) -> dg.Field:
        return self._as_field

    @cached_property
    def _as_field(self) -> dg.Field:
        taken = {name: parameter for name, parameter in self._declared.items() if name not in self._inputs}
        fields = {name: _field(parameter, self._fixed, self._filled) for name, parameter in taken.items()}
        return dg.Field(dg.Shape(fields))  # type: ignore[no-untyped-call]


def _field(parameter: Parameter, fixed: Mapping[str, JSON], filled: Collection[str]) -> dg.Field:
    config: Any = config_type(parameter.type)
    known, default = _default(parameter, fixed, filled)
    description = _description(parameter, filled)
    if known:
        return dg.Field(config, default_value=default, is_required=False, description=description)
    return dg.Field(config, is_required=parameter.required and parameter.name not in filled, description=description)


def _default(parameter: Parameter, fixed: Mapping[str, JSON], filled: Collection[str]) -> tuple[bool, JSON]:
    """What the launchpad shows; nothing where the notebook's own expression or the run decides."""
    if parameter.name in fixed:
        return True, fixed[parameter.name]
    if parameter.default is NO_DEFAULT or parameter.name in filled:
        return False, None
    try:
        default = parameter.type.check(parameter.default)
    except ValueError:
        return False, None
    if default is None and not isinstance(parameter.type, UnionType):  # Dagster's Any takes None, but shows no default
        return False, None
    return True, default


def _description(parameter: Parameter, filled: Collection[str]) -> str:
    parts = [parameter.description, f"[{parameter.type}]"]
    if parameter.expression is not None:
        parts.append(f"as in the notebook: {parameter.expression}")
    elif parameter.name in filled:
        parts.append("filled from the run")
    return " ".join(part for part in parts if part)


def config_type(declared: ParameterType) -> Any:
    """Dagster's config type for a parameter type."""
    plain = {IntType: int, FloatType: float, StrType: str, BoolType: bool, PathType: str}.get(type(declared))
    if plain is not None:
        return plain
    if isinstance(declared, (DateType, DatetimeType)):
        return _CheckedText(declared, ConfigScalarKind.STRING)
    if isinstance(declared, BoundedType):
        is_int = isinstance(declared.number, IntType)
        return _CheckedText(declared, ConfigScalarKind.INT if is_int else ConfigScalarKind.FLOAT)
    if isinstance(declared, ChoiceType) and all(isinstance(choice, str) for choice in declared.choices):
        return dg.Enum(str(declared), [dg.EnumValue(choice) for choice in declared.choices])  # refusals show the name
    if isinstance(declared, ListType):
        return dg.Array(_item_type(declared.item))
    if isinstance(declared, DictType):
        return _CheckedDict(declared)
    if isinstance(declared, UnionType) and NoneType() in declared.members and len(declared.members) == 2:
        return dg.Noneable(config_type(next(member for member in declared.members if member != NoneType())))
    return _CheckedValue(declared)


def _item_type(declared: ParameterType) -> Any:
    """The same for an item of a list or dict, where Dagster fails over a null it was not told of."""
    config = config_type(declared)
    try:
        declared.check(None)
    except ValueError:
        return config
    return config if isinstance(config, dg.Noneable) else dg.Noneable(config)


def _checked(declared: ParameterType, value: Any) -> Any:
    try:
        return declared.check(value)
    except ValueError as error:
        raise PostProcessingError(f"must be {declared}, {error}") from None


def _key(declared: ParameterType) -> str:
    """A name that is the same for the same type, and for no other."""
    return f"nb_dagster_{hashlib.sha256(repr(declared).encode()).hexdigest()[:12]}"
