"""What became of each key of a file that is taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from nb_dagster.notebook.plain_yaml import Key


@dataclass(frozen=True)
class Line:
    """What became of one key.

    Attributes:
        key: where it is in the old file.
        found: its value there.
        became: where it is said in the project file; empty where it is not said, as it says nothing or has no equivalent.
        advice: why it has no equivalent, or means something else now, and what to do; empty where all is well.
    """

    key: Key
    found: Any
    became: str = ""
    advice: str = ""


class Became(NamedTuple):
    """The same, from who knows only the value."""

    became: str = ""
    advice: str = ""


Row: TypeAlias = Callable[[Any, Any], Became]
"""Puts a value into what is being made, and tells where."""
Part: TypeAlias = Callable[[Any, Key, Any], Iterator[Line]]
"""The same of a mapping, with a line for each of its keys."""


def dropped(advice: str, *, unless: Any = None) -> Row:
    """The row of a key without an equivalent.

    Args:
        advice: why, and what to do.
        unless: the value that says the same as nothing.
    """
    return lambda value, _: Became() if value == unless else Became(advice=advice)


def unknown(_value: Any, _made: Any) -> Became:
    """The row of a key that is none of theirs."""
    return Became(advice="no version of LabFunctions or NB Workflows has this key with such a value; it is left out")


def lines_of(
    said: Mapping[Any, Any], key: Key, made: Any, rows: Mapping[str, Row], parts: Mapping[str, Part] | None = None
) -> Iterator[Line]:
    """Take a mapping over, key by key: none goes without a line.

    Args:
        said: the mapping.
        key: where it is.
        made: what it goes into.
        rows: what becomes of plain values, by key.
        parts: what becomes of mappings, by key.
    """
    for name, value in said.items():
        here, part = (*key, name), (parts or {}).get(name)
        if value is None or value in ("", [], {}):
            yield Line(here, value)
        elif part is not None and isinstance(value, dict):
            yield from part(value, here, made)
        else:
            yield Line(here, value, *rows.get(name, unknown)(value, made))
