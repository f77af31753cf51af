"""Where a run writes: its executed notebook, and its journal until that is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nb_dagster.errors import RunRefused


class Place(Protocol):
    """A place for one run."""

    def check(self) -> None:
        """See that it can be taken, without touching anything.

        Raises:
            RunRefused: it cannot.
        """

    def reserve(self) -> tuple[Path, Path]:
        """Take it; gives the local paths of the executed notebook and of the journal."""


@dataclass(frozen=True)
class FilePlace:
    """A path that somebody named; the journal is beside it."""

    path: Path

    def check(self) -> None:
        """See that the path is an ``.ipynb`` that does not exist."""
        if self.path.suffix != ".ipynb":
            raise RunRefused(f"{self.path}: an executed notebook is an .ipynb file")
        if self.path.exists():
            raise RunRefused(
                f"{self.path} exists already, and no run overwrites another's notebook; name another output"
            )

    def reserve(self) -> tuple[Path, Path]:
        """The path, and the journal's beside it."""
        return self.path, self.path.with_name(f"{self.path.name}.journal")
