"""Values of parameters: JSON, as it can be written down and read back in any place they come to."""

from __future__ import annotations

import json
import math
import numbers
import reprlib
from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""None, bool, int, finite float, str, and lists and string-keyed dicts of them."""
MAX_DEPTH = 100
"""Lists and dicts within each other; Python reads no literal of more than 200."""
DAGSTERS_KEYS = frozenset({"__class__", "__enum__", "__set__", "__frozenset__", "__mapping_items__"})
"""Keys of dicts that Dagster makes something else of when it reads them back; a run with one cannot be read any more."""
_MAX_BITS = 13_000  # of a whole number, 3,900 digits; Python reads no literal of more than 4,300
_brief = reprlib.Repr()  # whatever it is shown, it takes no time
_brief.maxlist = _brief.maxtuple = _brief.maxdict = _brief.maxstring = _brief.maxlong = 60
_brief.maxlevel = 2


def check_json(value: object, depth: int = MAX_DEPTH) -> JSON:
    """The value, if it is JSON; tuples become lists, and subclasses what they are subclasses of.

    Args:
        value: anything.
        depth: how many lists and dicts it may have within each other.

    Raises:
        ValueError: it is, or holds, something JSON has no form for, or is nested too deep.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, numbers.Integral):
        return whole_number(int(value))
    if isinstance(value, numbers.Real):
        return fraction(value)
    if not isinstance(value, (list, tuple, dict)):
        raise ValueError(f"not {describe(value)}")
    if depth == 0:
        raise ValueError(f"not a value of more than {MAX_DEPTH} lists and dicts within each other")
    if isinstance(value, dict):
        return {check_key(key): check_json(each, depth - 1) for key, each in value.items()}
    return [check_json(each, depth - 1) for each in value]


def check_key(key: object) -> str:
    """A dict's key, if it is text, and none of Dagster's.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(key, str):
        raise ValueError(f"not a dict with the key {describe(key)} (keys are text)")
    if key in DAGSTERS_KEYS:
        raise ValueError(f"not a dict with the key {key!r} (Dagster reads it as a value of its own)")
    return plain_text(key)


def plain_text(value: str) -> str:
    """The text alone: a subclass may show itself as it likes, as numpy's does.

    Raises:
        ValueError: it is a Dagster ``EnvVar``, which is the name of a text.
    """
    if hasattr(value, "env_var_name"):
        raise ValueError("not a dg.EnvVar (parameters are written down; give it with environment= or secrets=)")
    return str.__str__(value)


def whole_number(number: int) -> int:
    """The number, if it can be written down.

    Raises:
        ValueError: it has too many digits.
    """
    if number.bit_length() > _MAX_BITS:
        raise ValueError(f"not {describe(number)}")
    return number


def fraction(number: Any) -> float:
    """The number as floating point.

    Raises:
        ValueError: it is not finite, or too large.
    """
    try:
        return finite_number(float(number))
    except OverflowError:
        raise ValueError(f"not {describe(number)}, which is too large") from None


def finite_number(number: float) -> float:
    """The number, if it is one.

    Raises:
        ValueError: it is infinite, or not a number.
    """
    if not math.isfinite(number):
        raise ValueError(f"not {number}, which is no finite number")
    return number


def parse_json(text: str) -> JSON:
    """What a text says as JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"not {describe(text)} (write it as JSON)") from None


def describe(value: object) -> str:
    """A value in a message: its text, shortened, with the type where the text does not show it."""
    if isinstance(value, str):
        return f"the text {_cut(repr(str.__str__(value)[:60]))}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _MAX_BITS:
        return "a whole number of thousands of digits"
    if value is None or isinstance(value, (bool, int, float)):
        return _cut(repr(value))
    if isinstance(value, (list, dict, tuple)):
        try:
            return _cut(_brief.repr(value))
        except ValueError:  # of a whole number in it
            pass
    return f"a value of type {type(value).__module__}.{type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
