"""Parameter types that are made of others, or of values: lists, dicts, choices, unions, bounded numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nb_dagster.notebook.types import JSON, AnyType, ParameterType, PathType, StrType, check_key, describe


@dataclass(frozen=True)
class ListType(ParameterType):
    """A list, or a tuple, whose items are all of one type."""

    item: ParameterType = field(default_factory=AnyType)
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

    value: ParameterType = field(default_factory=AnyType)

    def check(self, value: object) -> dict[str, JSON]:
        if not isinstance(value, dict):
            raise ValueError(f"not {describe(value)}")
        return {check_key(key): _within(f"value of {key!r}", self.value, each) for key, each in value.items()}

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


def _within(place: str, declared: ParameterType, value: object) -> JSON:
    try:
        return declared.check(value)
    except ValueError as error:
        raise ValueError(f"but its {place} must be {declared}, {error}") from None
