"""What a parameter may be. Values are JSON; a type checks them, reads them from text, and names itself in messages."""

from __future__ import annotations

import numbers
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, datetime

from nb_dagster.notebook.values import (
    JSON,
    check_json,
    check_key,
    describe,
    finite_number,
    fraction,
    parse_json,
    plain_text,
    whole_number,
)

__all__ = [
    "JSON",
    "AnyType",
    "BoolType",
    "DateType",
    "DatetimeType",
    "FloatType",
    "IntType",
    "NoneType",
    "ParameterType",
    "PathType",
    "StrType",
    "check_json",
    "check_key",
    "describe",
]


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
        return self.check(parse_json(text))

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
        value: JSON = text
        try:
            value = parse_json(text)
            return self.check(value)
        except ValueError:
            if isinstance(value, (list, dict)):
                raise
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
        return whole_number(int(value))

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
        return fraction(value)

    def read(self, text: str) -> float:
        try:
            return finite_number(float(text))
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
        return plain_text(value)

    def read(self, text: str) -> str:
        return text

    def __str__(self) -> str:
        return "str"


@dataclass(frozen=True)
class PathType(ParameterType):
    """A path; travels as text, arrives in Python as ``pathlib.Path``."""

    def check(self, value: object) -> str:
        path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
        if not isinstance(path, str) or "\0" in path:
            raise ValueError(f"not {describe(value)}")
        return plain_text(path)

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
        try:
            text = value.isoformat() if isinstance(value, datetime) else StrType().check(value)
            return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text).isoformat()
        except ValueError:
            raise ValueError(f"not {describe(value)} (write 2026-01-31T06:00:00)") from None

    def read(self, text: str) -> str:
        return self.check(text)

    def __str__(self) -> str:
        return "datetime"
