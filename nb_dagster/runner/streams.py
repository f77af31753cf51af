"""Text that a cell writes, piece by piece, as the text a terminal would show in the end; in time linear in its size."""

from __future__ import annotations

from typing import Any

_FIRST_FOLD = 1 << 16


class StreamText:
    """The text of one stream output, growing.

    Args:
        output: the nbformat output that the text belongs to; written by :meth:`settle`.
    """

    def __init__(self, output: Any) -> None:
        self.output = output
        self._pieces: list[str] = []
        self._size = 0
        self._fold_at = _FIRST_FOLD

    def add(self, text: str) -> None:
        """One more piece."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size >= self._fold_at:  # a progress bar that runs for hours must not fill the memory
            self._pieces = [overwritten("".join(self._pieces))]
            self._size = len(self._pieces[0])
            self._fold_at = max(_FIRST_FOLD, 2 * self._size)

    @property
    def text(self) -> str:
        """The text so far, with what is still to be overwritten."""
        return "".join(self._pieces)

    def settle(self) -> None:
        """Write the text so far into the output."""
        self._pieces = [overwritten("".join(self._pieces))]
        self.output["text"] = self._pieces[0]


def overwritten(text: str) -> str:
    r"""What is left of a text after its carriage returns and backspaces.

    A trailing carriage return is kept: what it takes back comes with the next piece.

    Example:
        >>> overwritten("10 %\r20 %\r30 %\ndone")
        '30 %\ndone'
    """
    if "\b" in text:
        text = _without_backspaces(text)
    if "\r" not in text:
        return text
    *lines, last = text.split("\n")
    trailing = "\r" if last.endswith("\r") else ""
    return "\n".join([*map(_last_writing, lines), _last_writing(last) + trailing])


def _last_writing(line: str) -> str:
    return line.rstrip("\r").rsplit("\r", 1)[-1]


def _without_backspaces(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
