"""Parameters of kernels that do not speak Python: read line by line, written by papermill's translators.

Only what a language is known to carry safely is written. papermill quotes text for R and bash; in Julia, PowerShell
and the like a text can interpolate (``$(...)``), so there only text without special characters passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter, Parameters
from nb_dagster.notebook.types import JSON, AnyType, BoolType, FloatType, IntType, ParameterType, StrType, describe

_ASSIGNMENT = re.compile(r"^(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*(?:<-|=)\s*(?P<value>.+?)\s*;?$")
_COMMENT = re.compile(r"""^(?P<code>(?:[^"'#]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)#\s*(?P<comment>.*)$""")
_QUOTED = re.compile(r"""^(["'])(?P<text>[^"'\\$`]*)\1$""")
_BARE_WORD = re.compile(r"^[\w./:@+-]+$")
_WORDS: dict[str, JSON] = {"TRUE": True, "true": True, "FALSE": False, "false": False}
_QUOTED_SAFELY = frozenset({"r", "bash"})
_HARMLESS_TEXT = re.compile(r"^[\w \-./:,@+=]*$")


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
        if assignment:
            parameters[assignment["name"]] = _parameter(
                assignment["name"], assignment["value"], language, comment, number
            )
    return parameters


def assign_by_papermill(values: Mapping[str, JSON], kernel: str, language: str, owner: str) -> str:
    """Source that sets the values, in the kernel's language.

    Raises:
        InvalidParameter: the language cannot carry a value safely, or papermill does not know the language.
    """
    from papermill.exceptions import PapermillException
    from papermill.translators import papermill_translators

    for name, value in values.items():
        _refuse_unsafe(value, name, language, owner)
    try:
        translator = papermill_translators.find_translator(kernel, "R" if language == "r" else language)
        return str(translator.codify(dict(values), "Parameters"))
    except PapermillException as error:
        raise InvalidParameter(f"{owner}: parameters cannot be given to the kernel {kernel!r} ({error})") from None


def _parameter(name: str, text: str, language: str, comment: str, line: int) -> Parameter:
    known, default = _literal(text, language)
    if not known:
        return Parameter(name, AnyType(), NO_DEFAULT, text, comment, line)
    return Parameter(name, _type_of(default, language), default, None, comment, line)


def _literal(text: str, language: str) -> tuple[bool, JSON]:
    if text in _WORDS and language != "bash":
        return True, _WORDS[text]
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


def _refuse_unsafe(value: JSON, name: str, language: str, owner: str) -> None:
    if isinstance(value, (dict, list)) and language == "bash":
        raise InvalidParameter(f"{owner}: parameter {name!r}: bash takes text and numbers, not {describe(value)}")
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_unsafe(key, name, "", owner)  # keys are names in some languages, so only harmless ones pass
            _refuse_unsafe(each, name, language, owner)
    elif isinstance(value, list):
        for each in value:
            _refuse_unsafe(each, name, language, owner)
    elif isinstance(value, str) and ("\0" in value or not (language in _QUOTED_SAFELY or _HARMLESS_TEXT.match(value))):
        carrier = language or "a key"
        raise InvalidParameter(
            f"{owner}: parameter {name!r}: {describe(value)} has characters that {carrier} cannot carry safely"
        )
