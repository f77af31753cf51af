"""How much a notebook shows, and where it is too much: a cell that prints forever fills neither disk nor memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nb_dagster.kernel.memory import in_words
from nb_dagster.notebook.records import record_key
from nb_dagster.runner.limits import OutputLimits
from nb_dagster.runner.streams import overwritten as text_left

_DISPLAYS = ("display_data", "execute_result", "update_display_data")
_PLACE = 200  # characters that an output takes in the notebook beside what it shows


class OutputMeter:
    """Counts what a notebook's cells show, in characters; records have a meter of their own.

    Args:
        limits: what one cell, and all of them, may show.
    """

    def __init__(self, limits: OutputLimits) -> None:
        self._max_cell, self._max_notebook = limits.cell, limits.notebook
        self._before = self._now = self._widgets = 0
        self._stream = ""
        self.is_cut = False

    def start_cell(self) -> None:
        """Another cell shows something."""
        self._before += self._now
        self._now = self._widgets = 0
        self._stream, self.is_cut = "", False

    def takes(
        self, message: dict[str, Any], replaced: Iterable[dict[str, Any]] = (), *, overwritten: bool = False
    ) -> bool:
        """Whether there is room for a message; counts it if there is.

        An error always has room: what says how the run went is never cut.

        Args:
            message: from the kernel.
            replaced: the outputs that show the same display, and will show this.
            overwritten: whether only what is left of a text after its carriage returns counts.
        """
        kind, content = message["msg_type"], message["content"]
        size = 0
        if kind == "stream":
            text = text_left(content["text"]) if overwritten else content["text"]
            size = len(text) + (_PLACE if content["name"] != self._stream else 0)
        elif kind in _DISPLAYS:
            size = growth(message, replaced) + (_PLACE if kind != "update_display_data" else 0)
        elif kind == "comm_open":
            size = size_of(content["data"]) + sum(len(each) for each in message.get("buffers", ())) + _PLACE
        if size > max(0, self.room):
            return False
        self._now += size
        if kind == "comm_open":
            self._widgets += size
        elif size:
            self._stream = content["name"] if kind == "stream" else ""
        return True

    def recount(self, outputs: Iterable[dict[str, Any]]) -> None:
        """Count what the cell shows now, after something was cleared or overwritten."""
        shown = (each for each in outputs if record_key(each.get("data") or {}) is None)
        self._now = self._widgets + sum(len(json.dumps(each)) for each in shown)

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
        owner, setting = ("the cell's", "cell") if cell else ("the notebook's", "notebook")
        mark = (
            f"{owner} output was cut here, after {in_words(limit or 0)}; OutputLimits.{setting} says how much is kept"
        )
        return marked(message, mark, beginning), mark


def size_of(data: dict[str, Any]) -> int:
    """Characters of a MIME bundle."""
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())


def growth(message: dict[str, Any], replaced: Iterable[dict[str, Any]]) -> int:
    """Characters by which a display lets a notebook grow, and all that show the same display with it."""
    size = size_of(message["content"].get("data") or {})
    own = size if message["msg_type"] != "update_display_data" else 0
    return own + sum(size - size_of(each["data"]) for each in replaced)


def marked(message: dict[str, Any], mark: str, beginning: str = "") -> dict[str, Any]:
    """A message that shows a mark instead of another message, or behind the beginning of it."""
    name = message["content"]["name"] if beginning else "stderr"
    content = {"name": name, "text": f"{beginning}\n[nb_dagster: {mark}]\n"}
    return {**message, "msg_type": "stream", "header": {**message["header"], "msg_type": "stream"}, "content": content}
