"""Names as Dagster takes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TypeVar

from dagster._core.definitions.utils import DISALLOWED_NAMES

T = TypeVar("T")


def dagster_name(name: str) -> str:
    """A file's name with letters, digits and underscores only, and none of the words that Dagster keeps.

    Example:
        >>> dagster_name("my-report")
        'my_report'
    """
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"{plain}_notebook" if plain in DISALLOWED_NAMES else plain


def free_name(name: str, taken: Collection[str]) -> str:
    """A name for Dagster that nothing else has: with a number, where the name itself is taken."""
    plain = dagster_name(name)
    numbered = (f"{plain}_{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (plain, *numbered) if each not in taken)


def list_of_names(argument: str, names: Iterable[T] | None) -> list[T]:
    """Names as a list; one text would be read as a list of letters.

    Raises:
        TypeError: it is one text.
    """
    if isinstance(names, str):
        raise TypeError(f"{argument} is a list of names, not the text {names!r}")
    return list(names or ())
