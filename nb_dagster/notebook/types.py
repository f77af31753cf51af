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


@dataclass(frozen=True)
class ListType(ParameterType):
    """A list, or a tuple, whose items are all of one type."""

    item: ParameterType = AnyType()
    is_tuple: bool = False

    def check(self, value: object) -> list[JSON]:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"not {describe(value)}")
        return [_within(f"item {index}", self.item, each) for index, each in enumerate(value)]

    def __str__(self) -> str:
        name = "tuple" if self.is_tuple else "list"
        item = f"{self.item}, ..." if self.is_tuple else str(self.item)
        return name if self.item == AnyType() else f"{name}[{item}]"


@dataclass(frozen=True)
class DictType(ParameterType):
    """A dict with text for keys and values of one type."""

    value: ParameterType = AnyType()

    def check(self, value: object) -> dict[str, JSON]:
        if not isinstance(value, dict):
            raise ValueError(f"not {describe(value)}")
        return {_check_key(key): _within(f"value of {key!r}", self.value, each) for key, each in value.items()}

    def __str__(self) -> str:
        return "dict" if self.value == AnyType() else f"dict[str, {self.value}]"


@dataclass(frozen=True)
class ChoiceType(ParameterType):
    """One of some values."""

    choices: tuple[JSON, ...]

    def check(self, value: object) -> JSON:
        for choice in self.choices:
            if type(choice) is type(value) and choice == value:
                return choice
        raise ValueError(f"not {describe(value)}")

    def read(self, text: str) -> JSON:
        for choice in self.choices:
            if text == (choice if isinstance(choice, str) else json.dumps(choice)) or text == str(choice):
                return choice
        raise ValueError(f"not {describe(text)}")

    def __str__(self) -> str:
        return "one of " + ", ".join(json.dumps(choice, ensure_ascii=False) for choice in self.choices)


@dataclass(frozen=True)
class UnionType(ParameterType):
    """Any of several types."""

    members: tuple[ParameterType, ...]

    @property
    def is_open(self) -> bool:
        return any(member.is_open for member in self.members)

    def check(self, value: object) -> JSON:
        for member in self.members:
            try:
                return member.check(value)
            except ValueError:
                continue
        raise ValueError(f"not {describe(value)}")

    def read(self, text: str) -> JSON:
        in_order = sorted(self.members, key=lambda member: isinstance(member, (StrType, PathType, AnyType)))
        for member in in_order:  # text that says null or a number means that, before it is taken as text
            try:
                return member.read(text)
            except ValueError:
                continue
        raise ValueError(f"not {describe(text)}")

    def __str__(self) -> str:
        return " | ".join(map(str, self.members))


@dataclass(frozen=True)
class BoundedType(ParameterType):
    """A number within bounds, as ``Annotated[int, Field(ge=1, le=10)]`` declares it."""

    number: ParameterType
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def check(self, value: object) -> JSON:
        return self._bounded(self.number.check(value))

    def read(self, text: str) -> JSON:
        return self._bounded(self.number.read(text))

    def _bounded(self, number: Any) -> Any:
        inside = (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )
        if not inside:
            raise ValueError(f"not {describe(number)}")
        return number

    def __str__(self) -> str:
        signs = {">=": self.ge, ">": self.gt, "<=": self.le, "<": self.lt}
        bounds = " and ".join(f"{sign} {bound}" for sign, bound in signs.items() if bound is not None)
        return f"{self.number} {bounds}"


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
        return {_check_key(key): check_json(each) for key, each in value.items()}
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


def _check_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"not a dict with the key {key!r} (keys are text)")
    return key


def _within(place: str, declared: ParameterType, value: object) -> JSON:
    try:
        return declared.check(value)
    except ValueError as error:
        raise ValueError(f"{error}, its {place} is no {declared}") from None
