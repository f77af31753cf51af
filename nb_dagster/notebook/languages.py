"""Parameters of kernels that do not speak Python: read line by line."""

from __future__ import annotations

import re

from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter, Parameters
from nb_dagster.notebook.types import JSON, AnyType, BoolType, FloatType, IntType, ParameterType, StrType

_ASSIGNMENT = re.compile(
    r"^(?:(?:export|val|var|let)\s+)?(?:\[[\w.\[\]]+\]\s*)?(?P<name>\$?[\w.]+)\s*(?:<-|=(?!=))\s*(?P<value>.+?)\s*;?$"
)
_NAME = re.compile(r"(?P<name>[^\W\d]\w*)")
_NAMES = {
    "bash": re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"),
    "powershell": re.compile(r"\$(?P<name>[A-Za-z_][A-Za-z0-9_]*)"),
    "r": re.compile(r"(?P<name>(?:[^\W\d_]|\.(?!\d))[\w.]*)"),
}
_COMMENT = re.compile(r"""^(?P<code>(?:[^"'#]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)#\s*(?P<comment>.*)$""")
_QUOTED = re.compile(r"""^(["'])(?P<text>[^"'\\$`]*)\1$""")
_BARE_WORD = re.compile(r"^[\w./:@+-]+$")
_TRUE, _FALSE = ("TRUE", "true", "$true", "$True"), ("FALSE", "false", "$false", "$False")


def infer_by_line(source: str, language: str) -> Parameters:
    """The parameters that the lines of a cell assign: ``n <- 3  # how many``.

    Args:
        source: the cell's text.
        language: the kernel's language.
    """
    parameters: Parameters = {}
    for number, line in enumerate(source.splitlines(), start=1):
        commented = _COMMENT.match(line)
        code, comment = (commented["code"], commented["comment"].strip()) if commented else (line, "")
        assignment = _ASSIGNMENT.match(code.strip())
        found = assignment and _NAMES.get(language, _NAME).fullmatch(assignment["name"])
        if assignment and found:
            parameters[found["name"]] = _parameter(found["name"], assignment["value"], language, comment, number)
    return parameters


def _parameter(name: str, text: str, language: str, comment: str, line: int) -> Parameter:
    known, default = _literal(text, language)
    if not known:
        return Parameter(name, AnyType(), NO_DEFAULT, text, comment, line)
    return Parameter(name, _type_of(default, language), default, None, comment, line)


def _literal(text: str, language: str) -> tuple[bool, JSON]:
    if text in (*_TRUE, *_FALSE) and language != "bash":
        return True, text in _TRUE
    for number in (int, float):
        try:
            return True, number(text)
        except ValueError:
            continue
    quoted = _QUOTED.match(text)
    if quoted:
        return True, quoted["text"]
    return (True, text) if language == "bash" and _BARE_WORD.match(text) else (False, None)


def _type_of(default: JSON, language: str) -> ParameterType:
    if isinstance(default, bool):
        return BoolType()
    if isinstance(default, int):  # R's plain numbers are doubles
        return FloatType() if language == "r" else IntType()
    return FloatType() if isinstance(default, float) else StrType()
