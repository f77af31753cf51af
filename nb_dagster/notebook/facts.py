"""What a definition asks of a notebook, as JSON and back: who has it need not look at the cells."""

from __future__ import annotations

from typing import Any

from nb_dagster.notebook.compound_types import BoundedType, ChoiceType, DictType, ListType, UnionType
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter
from nb_dagster.notebook.types import (
    JSON,
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

_PLAIN = ("kernel", "language", "description", "settings", "code_version")
_TYPES: dict[str, type[ParameterType]] = {
    each.__name__: each
    for each in (
        *(AnyType, NoneType, BoolType, IntType, FloatType, StrType, PathType, DateType, DatetimeType),
        *(ListType, DictType, ChoiceType, UnionType, BoundedType),
    )
}


def pack_facts(document: NotebookDocument) -> JSON:
    """The facts of a notebook as JSON.

    Raises:
        UnreadableNotebook: its parameters cell is no Python.
    """
    plain = {name: getattr(document, name) for name in _PLAIN}
    parameters = [_pack_parameter(each) for each in document.parameters.values()]
    return {**plain, "preload": list(document.preload), "parameters": parameters}


def unpack_facts(packed: JSON) -> dict[str, Any]:
    """The facts by the names of the notebook's attributes.

    Raises:
        KeyError, TypeError: these are no packed facts.
    """
    parameters = {each["name"]: _unpack_parameter(each) for each in packed["parameters"]}
    return {**packed, "preload": tuple(packed["preload"]), "parameters": parameters}


def _pack_parameter(parameter: Parameter) -> JSON:
    default = [] if parameter.default is NO_DEFAULT else [parameter.default]
    return {**vars(parameter), "type": _pack_type(parameter.type), "default": default}


def _unpack_parameter(packed: JSON) -> Parameter:
    default = packed["default"][0] if packed["default"] else NO_DEFAULT
    return Parameter(**{**packed, "type": _unpack_type(packed["type"]), "default": default})


def _pack_type(value: Any) -> JSON:
    """A type as an object of what it is made of; several types, or choices, are a list."""
    if isinstance(value, ParameterType):
        return {"is": type(value).__name__, **{name: _pack_type(each) for name, each in vars(value).items()}}
    return [_pack_type(each) for each in value] if isinstance(value, tuple) else value


def _unpack_type(packed: JSON) -> Any:
    if isinstance(packed, dict):
        made_of = {name: _unpack_type(each) for name, each in packed.items() if name != "is"}
        return _TYPES[packed["is"]](**made_of)
    return tuple(map(_unpack_type, packed)) if isinstance(packed, list) else packed
