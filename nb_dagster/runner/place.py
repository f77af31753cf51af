"""Where a run writes: its executed notebook, and its journal until that is written."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nb_dagster.errors import RunRefused

_LONGEST_NAME = 200  # bytes, so that there is room for what is put before and behind it


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
        """See that the path is an ``.ipynb`` that does not exist, and can be written."""
        check_output(self.path, str(self.path))

    def reserve(self) -> tuple[Path, Path]:
        """The path, and the journal's beside it."""
        return self.path, self.path.with_name(f"{self.path.name}.journal")


def check_output(path: Path, named: str) -> None:
    """See that an executed notebook can be written to a path, without touching anything.

    Args:
        path: where to.
        named: how whoever asked knows it, for messages.

    Raises:
        RunRefused: it cannot.
    """
    named = named if len(named) <= 300 else f"{named[:299]}…"
    if path.suffix != ".ipynb":
        raise RunRefused(f"{named}: an executed notebook is an .ipynb file")
    if not _is_possible(path):
        raise RunRefused(f"{named!r} is no path of a file: it is too long, or has characters that none may have")
    if os.path.lexists(path):
        raise RunRefused(f"{named} exists already, and no run overwrites another's notebook; name another output")
    nearest = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise RunRefused(f"{named} cannot be written: {nearest} is no folder that can be written to")


def _is_possible(path: Path) -> bool:
    try:
        os.lstat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            return False
    return len(os.fsencode(path.name)) <= _LONGEST_NAME
