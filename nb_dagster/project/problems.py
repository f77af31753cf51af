"""What is wrong with a project: where, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nb_dagster.errors import RunRefused
from nb_dagster.notebook.plain_yaml import Key

Level: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or worth a look.

    Attributes:
        message: what was found, and what was expected.
        file: the file it is in.
        key: where in the file.
        line: its line, from 1; None where that is not known.
        column: its column, from 1.
        level: whether the project cannot be loaded with it.
    """

    message: str
    file: str
    key: Key = ()
    line: int | None = None
    column: int | None = None
    level: Level = "error"

    @property
    def place(self) -> str:
        """The file with line and column, as editors and terminals link it."""
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.place, dotted(self.key), self.message)))


class ProjectRefused(RunRefused):
    """A project that cannot be loaded.

    Attributes:
        problems: all that is wrong with it, as far as it could be read.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(key: Key) -> str:
    """A key as people write it: ``workflows.train.for_each[0].n``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")
