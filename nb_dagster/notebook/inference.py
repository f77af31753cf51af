"""Parameters of a Python ``parameters`` cell, read with ``ast`` and ``tokenize``: nothing is ever executed."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.annotations import parse_type, type_of, type_of_value, union
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter, Parameters
from nb_dagster.notebook.types import AnyType, NoneType, ParameterType, check_json

_MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)
_TYPE_COMMENT = re.compile(r"type:\s*(?P<rest>.*)")
_NAME = re.compile(r"[\w.]+")
_BAR = re.compile(r"\s*\|\s*")


def infer_python(source: str, owner: str) -> Parameters:
    """The parameters that a cell of Python assigns.

    Args:
        source: the cell's text; IPython magics in it are left out.
        owner: the notebook, for messages.

    Raises:
        UnreadableNotebook: the cell is no Python.

    Example:
        >>> infer_python("n = 3  # how many", "a.ipynb")["n"].description
        'how many'
    """
    source = _MAGIC.sub("", source)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UnreadableNotebook(
            f"{owner}: line {line} of its parameters cell is no Python ({getattr(error, 'msg', error)})"
        ) from None
    comments = _comments(source)
    parameters: Parameters = {}
    for statement in tree.body:
        for name, annotation, value in _assignments(statement):
            comment = _comment_of(statement, comments)
            parameters[name] = _parameter(name, annotation, value, comment, statement.lineno)
    return parameters


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Name, annotation and value of each plain name that the statement binds."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None, statement.value
            elif isinstance(target, (ast.Tuple, ast.List)):
                yield from _unpacked(target, statement.value)


def _unpacked(target: ast.Tuple | ast.List, value: ast.expr) -> Iterator[tuple[str, None, ast.expr]]:
    """``a, b = 1, 2``: each name with its own value, or with the whole expression where it cannot be told."""
    paired = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
    plain = not any(isinstance(element, ast.Starred) for element in target.elts)
    for index, element in enumerate(target.elts):
        if isinstance(element, ast.Name):
            own = value.elts[index] if paired and plain else ast.Subscript(value, ast.Constant(index), ast.Load())  # type: ignore[attr-defined]
            yield element.id, None, own


def _parameter(name: str, annotation: ast.expr | None, value: ast.expr | None, comment: str, line: int) -> Parameter:
    commented_type, description = _split_type_comment(comment)
    declared = type_of(annotation) if annotation is not None else commented_type
    if value is None:
        return Parameter(name, declared or AnyType(), description=description, line=line)
    try:
        literal = ast.literal_eval(value)
        default = check_json(literal)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Parameter(
            name, declared or AnyType(), NO_DEFAULT, ast.unparse(ast.fix_missing_locations(value)), description, line
        )
    if declared is None:
        declared = type_of_value(literal)
    elif literal is None and not _accepts(declared, None):
        declared = union(declared, NoneType())
    return Parameter(name, declared, default, None, description, line)


def _accepts(declared: ParameterType, value: object) -> bool:
    try:
        declared.check(value)
    except ValueError:
        return False
    return True


def _comments(source: str) -> dict[int, str]:
    """The comment of each line, without its sign."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = {}
    try:
        for token in tokens:
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string.lstrip("#").strip()
    except (tokenize.TokenError, SyntaxError):  # ast took it, so all that is missing is a comment
        pass
    return found


def _comment_of(statement: ast.stmt, comments: dict[int, str]) -> str:
    """The trailing comment: behind the statement's end, or behind its first line where it has several."""
    last = statement.end_lineno or statement.lineno
    return comments.get(last) or comments.get(statement.lineno) or ""


def _split_type_comment(comment: str) -> tuple[ParameterType | None, str]:
    """``type: list[int]  the sizes`` as its type and its description."""
    match = _TYPE_COMMENT.match(comment)
    if match is None:
        return None, comment
    end = _end_of_type(match["rest"])
    return parse_type(match["rest"][:end]), match["rest"][end:].strip()


def _end_of_type(text: str) -> int:
    """Where a type expression that ``text`` starts with ends: names, their brackets, and bars between them."""
    end = 0
    while name := _NAME.match(text, end):
        end = name.end()
        if text[end : end + 1] == "[":
            end = _closing_bracket(text, end) + 1
        bar = _BAR.match(text, end)
        if bar is None:
            break
        end = bar.end()
    return end


def _closing_bracket(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"[": 1, "]": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return len(text) - 1
