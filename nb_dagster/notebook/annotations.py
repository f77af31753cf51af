"""Type expressions, as authors write them, to parameter types. Read with ``ast``; nothing is evaluated."""

from __future__ import annotations

import ast
from typing import Any

from nb_dagster.notebook.compound_types import BoundedType, ChoiceType, DictType, ListType, UnionType
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

_PLAIN: dict[str, ParameterType] = {
    "int": IntType(),
    "float": FloatType(),
    "str": StrType(),
    "bool": BoolType(),
    "None": NoneType(),
    "list": ListType(),
    "List": ListType(),
    "Sequence": ListType(),
    "tuple": ListType(is_tuple=True),
    "Tuple": ListType(is_tuple=True),
    "dict": DictType(),
    "Dict": DictType(),
    "Mapping": DictType(),
    "date": DateType(),
    "datetime": DatetimeType(),
    "Path": PathType(),
    "Any": AnyType(),
}
_BOUND_CALLS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt"}  # annotated_types; pydantic's Field uses keywords


def parse_type(text: str) -> ParameterType:
    """The type that ``text`` names; one we do not know accepts any JSON and keeps its name.

    Example:
        >>> str(parse_type("list[int] | None"))
        'list[int] | None'
    """
    try:
        return type_of(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return AnyType(text.strip())


def type_of(node: ast.expr) -> ParameterType:
    """The type that an annotation names."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return NoneType()
        if isinstance(node.value, str):  # a quoted annotation
            return parse_type(node.value)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _PLAIN.get(_last_name(node), AnyType(ast.unparse(node)))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return union(type_of(node.left), type_of(node.right))
    if isinstance(node, ast.Subscript):
        return _subscripted(node)
    return AnyType(ast.unparse(node))


def type_of_value(value: object) -> ParameterType:
    """The type that a literal default stands for."""
    if isinstance(value, bool):
        return BoolType()
    for kind, declared in ((int, IntType()), (float, FloatType()), (str, StrType()), (dict, DictType())):
        if isinstance(value, kind):
            return declared
    if isinstance(value, (list, tuple)):
        return ListType(is_tuple=isinstance(value, tuple))
    return AnyType()


def union(*members: ParameterType) -> ParameterType:
    """One type for several, flattened, without repeats."""
    flat: list[ParameterType] = []
    for member in members:
        flat += [each for each in (member.members if isinstance(member, UnionType) else (member,)) if each not in flat]
    return flat[0] if len(flat) == 1 else UnionType(tuple(flat))


def _subscripted(node: ast.Subscript) -> ParameterType:
    name = _last_name(node.value)
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Optional" and len(arguments) == 1:
        return union(type_of(arguments[0]), NoneType())
    if name == "Union":
        return union(*map(type_of, arguments))
    if name == "Literal":
        return ChoiceType(tuple(ast.literal_eval(argument) for argument in arguments))
    if name == "Annotated":
        return _bounded(type_of(arguments[0]), arguments[1:])
    if name in ("list", "List", "Sequence") and len(arguments) == 1:
        return ListType(type_of(arguments[0]))
    if name in ("tuple", "Tuple"):
        types = {type_of(argument) for argument in arguments if ast.unparse(argument) != "..."}
        return ListType(types.pop() if len(types) == 1 else AnyType(), is_tuple=True)
    if name in ("dict", "Dict", "Mapping") and len(arguments) == 2:
        return DictType(type_of(arguments[1]))
    return AnyType(ast.unparse(node))


def _bounded(number: ParameterType, notes: list[ast.expr]) -> ParameterType:
    bounds: dict[str, Any] = {}
    for note in notes:
        if isinstance(note, ast.Call):
            bound = _BOUND_CALLS.get(_last_name(note.func))
            if bound and len(note.args) == 1:
                bounds[bound] = ast.literal_eval(note.args[0])
            for keyword in note.keywords:
                if keyword.arg in _BOUND_CALLS.values():
                    bounds[str(keyword.arg)] = ast.literal_eval(keyword.value)
    return BoundedType(number, **bounds) if bounds and isinstance(number, (IntType, FloatType)) else number


def _last_name(node: ast.expr) -> str:
    """``Path`` of ``pathlib.Path``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
