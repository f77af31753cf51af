"""Values as source of a language that is not Python: literals in printable ASCII, and nothing else.

ASCII, because source may go through a terminal, as bash's does, or through another encoding, where half a letter is a
quotation mark. Control characters above all: a terminal acts on them in the middle of a quoted text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from nb_dagster.notebook.types import JSON, describe

_EXACT = 2**53
"""Whole numbers up to here are exact as floating point, which is all that R and many others have."""
_PIECE = 5_000  # R reads no more than 10,000 characters of a text with escapes


class Unfit(ValueError):
    """What a language cannot carry; the message says why not."""


def _r(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, (int, float)):
        return _r_number(value)
    if isinstance(value, str):
        _refuse_nul(value)
        pieces = [value[start : start + _PIECE] for start in range(0, len(value) or 1, _PIECE)]
        quoted = [f'"{_escaped(piece, _IN_DOUBLE_QUOTES, _by_code_point)}"' for piece in pieces]
        return quoted[0] if len(quoted) == 1 else f"paste0({', '.join(quoted)})"
    if isinstance(value, list):
        return f"list({', '.join(map(_r, value))})"
    names = f"c({', '.join(map(_r, value))})" if value else "character()"
    return f"structure({_r(list(value.values()))}, names = {names})"


def _r_number(value: float) -> str:
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise Unfit(f"{describe(value)} exactly (its numbers are exact up to 2^53)")
        return str(value)
    text = repr(value)
    is_short = len(text) <= 15 and "e" not in text
    return text if is_short else value.hex()  # R rounds the last digit of longer ones as it likes


def _bash(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return {None: "''", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        _refuse_nul(value)
        if _IN_SINGLE_QUOTES.fullmatch(value):
            return f"'{value}'"
        octets = _utf8(value).decode("latin-1")
        return f"$'{_escaped(octets, _IN_ANSI_C, _by_octet)}'"
    raise Unfit(f"{describe(value)}: it takes text and numbers")


def _julia(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return f'"{_escaped(value, _IN_JULIA, _by_code_point)}"'
    if isinstance(value, list):
        kinds = {type(each) for each in value}
        is_plain = len(kinds) == 1 and kinds <= {bool, int, float, str}
        return f"{'' if is_plain else 'Any'}[{', '.join(map(_julia, value))}]"  # others it would convert to one type
    return f"Dict{{String, Any}}({', '.join(f'{_julia(key)} => {_julia(each)}' for key, each in value.items())})"


def _powershell(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return {None: "$null", True: "$true", False: "$false"}[value]
    if isinstance(value, (int, float)):
        if isinstance(value, int) and abs(value) >= 2**63:
            raise Unfit(f"{describe(value)} exactly (its whole numbers have 64 bits)")
        return f"({value})" if str(value).startswith("-") else str(value)
    if isinstance(value, str):
        return _powershell_text(value)
    if isinstance(value, list):
        return f"@({',' * (len(value) == 1)}{', '.join(map(_powershell, value))})"  # else one list in a list is none
    if len({key.casefold() for key in value}) < len(value):
        raise Unfit(f"{describe(value)}: its keys are the same in upper and lower case")
    return f"@{{{'; '.join(f'{_powershell_text(key)} = {_powershell(each)}' for key, each in value.items())}}}"


def _powershell_text(text: str) -> str:
    """A text in single quotes, its other characters as numbers: four more Unicode characters end a text like ``'``."""
    parts = [
        f"'{plain}'" if plain else f"[char]0x{ord(other):04x}"
        for plain, other in _POWERSHELL_PARTS.findall(_utf16(text))
    ]
    if not parts or parts[0].startswith("["):
        parts.insert(0, "''")  # a sum that starts with a text is a text
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


LANGUAGES: dict[str, tuple[str, Callable[[JSON], str]]] = {
    "r": ("{} <- {}", _r),
    "bash": ("{}={}", _bash),
    "julia": ("{} = {}", _julia),
    "powershell": ("${} = {}", _powershell),
}
"""By language, in lower case: how it assigns, and the literal of a JSON value, or :class:`Unfit`."""
_IN_DOUBLE_QUOTES = re.compile(r"[ !#-\[\]-~]")
_IN_JULIA = re.compile(r"[ !#%-\[\]-~]")  # a dollar sign interpolates
_IN_SINGLE_QUOTES = re.compile(r"[ -&(-~]*")
_IN_ANSI_C = re.compile(r"[ \"-&(-\[\]-~]")  # an exclamation mark may call up the history
_POWERSHELL_PARTS = re.compile(r"([ -&(-~]+)|(.)", re.DOTALL)


def _escaped(text: str, plain: re.Pattern[str], escape: Callable[[str], str]) -> str:
    _utf8(text)
    return "".join(each if plain.match(each) else escape(each) for each in text)


def _by_code_point(character: str) -> str:
    """An escape with all its digits, so that a digit behind it is none of it."""
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _by_octet(octet: str) -> str:
    return f"\\x{ord(octet):02x}"


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{describe(text)}, which has half a character (a lone surrogate)") from None


def _utf16(text: str) -> str:
    """The text with a character for each of its 16-bit units."""
    _utf8(text)
    units = text.encode("utf-16-be")
    return "".join(chr(int.from_bytes(units[start : start + 2], "big")) for start in range(0, len(units), 2))


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise Unfit(f"{describe(text)}, which has a NUL character")
