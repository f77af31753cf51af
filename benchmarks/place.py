"""Where a benchmark works, and what it works on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.notebooks import make, make_thousand


@dataclass(frozen=True)
class Place:
    """A folder that is gone afterwards.

    Attributes:
        folder: for what is written.
    """

    folder: Path

    @cached_property
    def notebooks(self) -> dict[str, Path]:
        """The notebooks by name."""
        return make(self.new("notebooks"))

    @cached_property
    def thousand(self) -> Path:
        """A folder of a thousand notebooks."""
        folder = self.new("thousand")
        make_thousand(folder)
        return folder

    def new(self, name: str) -> Path:
        """A folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return folder
