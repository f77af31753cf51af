"""How much a notebook shows, and where it is too much: a cell that prints forever fills neither disk nor memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nb_dagster.kernel.memory import in_words
from nb_dagster.nb import MIME_TYPE
from nb_dagster.runner.streams import overwritten as text_left

_COUNTED = ("stream", "display_data", "execute_result")


class OutputMeter:
    """Counts the output of a notebook's cells, in characters.

    Args:
        max_cell: what one cell may show; None for any amount.
        max_notebook: what all cells together may show; None for any amount.
    """

    def __init__(self, max_cell: int | None = None, max_notebook: int | None = None) -> None:
        self._max_cell, self._max_notebook = max_cell, max_notebook
        self._before = self._now = 0
        self.is_cut = False

    def start_cell(self) -> None:
        """Another cell shows something."""
        self._before += self._now
        self._now, self.is_cut = 0, False

    def takes(self, message: dict[str, Any], *, overwritten: bool = False) -> bool:
        """Whether there is room for a message; counts it if there is.

        An error always has room, and so has a record: what says how the run went is never cut.

        Args:
            message: from the kernel.
            overwritten: whether only what is left of a text after its carriage returns counts.
        """
        size = _size(message)
        if overwritten and message["msg_type"] == "stream":
            size = len(text_left(message["content"]["text"]))
        if size > self.room:
            return False
        self._now += size
        return True

    def recount(self, outputs: Iterable[dict[str, Any]]) -> None:
        """Count what the cell shows now, after something was cleared or overwritten."""
        self._now = sum(len(json.dumps(output)) for output in outputs)

    @property
    def room(self) -> float:
        """Characters that still fit."""
        rooms = [float("inf")]
        if self._max_cell is not None:
            rooms.append(self._max_cell - self._now)
        if self._max_notebook is not None:
            rooms.append(self._max_notebook - self._before - self._now)
        return min(rooms)

    def cut(self, message: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """What is left of a message that does not fit: its beginning, if it is text, and a mark.

        Returns:
            A message in its place, and the mark.
        """
        self.is_cut = True
        beginning = message["content"]["text"][: max(0, int(self.room))] if message["msg_type"] == "stream" else ""
        cell = self._max_cell is not None and self._max_cell - self._now <= self.room
        limit = self._max_cell if cell else self._max_notebook
        owner, setting = ("the cell's", "max_cell_output") if cell else ("the notebook's", "max_output")
        mark = f"{owner} output was cut here, after {in_words(limit or 0)}; {setting} says how much is kept"
        name = message["content"]["name"] if beginning else "stderr"
        content = {"name": name, "text": f"{beginning}\n[nb_dagster: {mark}]\n"}
        return {**message, "msg_type": "stream", "content": content}, mark


def _size(message: dict[str, Any]) -> int:
    kind, content = message["msg_type"], message["content"]
    if kind not in _COUNTED:
        return 0
    if kind == "stream":
        return len(content["text"])
    data = content.get("data") or {}
    if MIME_TYPE in data:
        return 0
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())
