"""Tables for people: on a terminal as wide as it is, elsewhere as wide as they need."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {"succeeded": "green", "skipped": "cyan", "running": "blue", "queued": "blue", "not_run": "dim"}
_COLOURS |= {"failed": "red", "timed_out": "red", "killed": "red", "cancelled": "yellow", "paused": "yellow"}
_WIDEST = 90
_WITHOUT_TERMINAL = 1000  # columns; nothing is broken for who reads it line by line


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output; words that are a status have its colour.

    Args:
        columns: their names.
        rows: their texts.
    """
    console = Console(width=None if sys.stdout.isatty() else _WITHOUT_TERMINAL)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name in ("run", "status", "started"))
    for row in rows:
        table.add_row(*(Text(each, style=_COLOURS.get(each, "")) for each in row))
    console.print(table)


def in_short(values: Mapping[str, object]) -> str:
    """Parameters in one cell of a table."""
    text = " ".join(f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in values.items())
    return shorten(text)


def shorten(text: str | None) -> str:
    """The first line of a text, as far as a cell of a table has room."""
    line = (text or "").strip().split("\n", maxsplit=1)[0]
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
