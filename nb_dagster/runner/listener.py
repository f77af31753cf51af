"""Who hears what cells show."""

from __future__ import annotations

from typing import Any


class Listener:
    """Hears what cells show, after it is in the notebook; this one does nothing with it."""

    def heard(self) -> None:
        """The kernel said something, whether it is kept or not."""

    def shown(self, cell: int, message: dict[str, Any]) -> None:
        """A message is kept."""

    def cleared(self, cell: int) -> None:
        """What a cell had shown is gone."""

    def marked(self, cell: int, mark: str) -> None:
        """Something is left out; a mark says what."""

    def left_out(self, kind: str, name: str) -> None:
        """A record is not kept."""
