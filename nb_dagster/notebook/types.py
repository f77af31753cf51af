"""What a parameter may be. Values are JSON; a type checks them, reads them from text, and names itself in messages."""

from __future__ import annotations

import json
import math
import numbers
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""None, bool, int, finite float, str, and lists and string-keyed dicts of them."""


class ParameterType(ABC):
    """One type a notebook can declare."""

    @abstractmethod
    def check(self, value: object) -> JSON:
        """The value as JSON.

        Raises:
            ValueError: the value is not of this type; the message says what it is instead.
        """

    @property
    def is_open(self) -> bool:
        """Whether it says nothing of a value, so that an upstream frame or object fits too."""
        return False

    def read(self, text: str) -> JSON:
        """The value that a person means by this text on a command line.

        Raises:
            ValueError: the text says no value of this type.
        """
        return self.check(_parse_json(text))

    @abstractmethod
    def __str__(self) -> str:
        """The type as an author would write it."""


@dataclass(frozen=True)
class AnyType(ParameterType):
    """Any JSON value; ``annotation`` keeps what the author wrote where it names no type we know."""

    annotation: str = "any JSON value"

    @property
    def is_open(self) -> bool:
        return True

    def check(self, value: object) -> JSON:
        return check_json(value)

    def read(self, text: str) -> JSON:
        try:
            return self.check(_parse_json(text))
        except ValueError:
            return text

    def __str__(self) -> str:
        return self.annotation


@dataclass(frozen=True)
class NoneType(ParameterType):
    """Only None."""

    def check(self, value: object) -> None:
        if value is not None:
            raise ValueError(f"not {describe(value)}")

    def read(self, text: str) -> None:
        if text.lower() not in ("none", "null"):
            raise ValueError(f"not {describe(text)}")

    def __str__(self) -> str:
        return "None"


@dataclass(frozen=True)
class BoolType(ParameterType):
    """True or false; never a number."""

    def check(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"not {describe(value)}")
        return value

    def read(self, text: str) -> bool:
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise ValueError(f"not {describe(text)} (write true or false)")

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True)
class IntType(ParameterType):
    """A whole number."""

    def check(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise ValueError(f"not {describe(value)}")
        return int(value)

    def read(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"not {describe(text)}") from None

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True)
class FloatType(ParameterType):
    """A finite number; whole numbers become floats."""

    def check(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ValueError(f"not {describe(value)}")
        return _finite(float(value))

    def read(self, text: str) -> float:
        try:
            return _finite(float(text))
        except ValueError:
            raise ValueError(f"not {describe(text)}") from None

    def __str__(self) -> str:
        return "float"


@dataclass(frozen=True)
class StrType(ParameterType):
    """Text, as it is."""

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"not {describe(value)}")
        return str(value)

    def read(self, text: str) -> str:
        return text

    def __str__(self) -> str:
        return "str"


@dataclass(frozen=True)
class PathType(ParameterType):
    """A path; travels as text, arrives in Python as ``pathlib.Path``."""

    def check(self, value: object) -> str:
        if not isinstance(value, (str, os.PathLike)) or "\0" in os.fspath(value):
            raise ValueError(f"not {describe(value)}")
        return os.fspath(value)

    def read(self, text: str) -> str:
        return self.check(text)

    def __str__(self) -> str:
        return "Path"


@dataclass(frozen=True)
class DateType(ParameterType):
    """A day; travels as ``2026-01-31``."""

    def check(self, value: object) -> str:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        try:
            return date.fromisoformat(StrType().check(value)).isoformat()
        except ValueError:
            raise ValueError(f"not {describe(value)} (write 2026-01-31)") from None

    def read(self, text: str) -> str:
        return self.check(text)

    def __str__(self) -> str:
        return "date"


@dataclass(frozen=True)
class DatetimeType(ParameterType):
    """A moment; travels as ISO 8601, ``2026-01-31T06:00:00+01:00``."""

    def check(self, value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat()
        try:
            text = StrType().check(value)
            return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text).isoformat()
        except ValueError:
            raise ValueError(f"not {describe(value)} (write 2026-01-31T06:00:00)") from None

    def read(self, text: str) -> str:
        return self.check(text)

    def __str__(self) -> str:
        return "datetime"


def check_json(value: object) -> JSON:
    """The value, if it is JSON; tuples become lists.

    Raises:
        ValueError: it is, or holds, something JSON has no form for.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _finite(float(value))
    if isinstance(value, (list, tuple)):
        return [check_json(each) for each in value]
    if isinstance(value, dict):
        return {check_key(key): check_json(each) for key, each in value.items()}
    raise ValueError(f"not {describe(value)}")


def describe(value: object) -> str:
    """A value in a message: its text, shortened, with the type where the text does not show it."""
    if value is None:
        return "None"
    text = repr(value)
    text = text if len(text) <= 60 else text[:59] + "…"
    if isinstance(value, str):
        return f"the text {text}"
    known = isinstance(value, (bool, int, float, list, dict, tuple))
    return text if known else f"a value of type {type(value).__module__}.{type(value).__name__}"


def _parse_json(text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"not {describe(text)} (write it as JSON)") from None


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"not {number}, which is no finite number")
    return number


def check_key(key: object) -> str:
    """A dict's key, if it is text.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(key, str):
        raise ValueError(f"not a dict with the key {key!r} (keys are text)")
    return key
