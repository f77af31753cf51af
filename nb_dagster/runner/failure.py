"""A kernel's error reply as the error a person wants to read."""

from __future__ import annotations

import re
from typing import Any

from nb_dagster.runner.result import CellError

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_CELL_FRAME = re.compile(r"(?:Cell )?In ?\[\d+\], line (\d+)")
_TIMED_FRAME = re.compile(r"File <timed (?:exec|eval)>:(\d+)")  # what %%time runs: the cell without its first line
_OUR_FRAME = re.compile(r"^(?:File )?\S*nb_dagster[/\\]nb\.py")


def read_error(reply: dict[str, Any], cell: int, number: int, source: str) -> CellError:
    """The error in an execute reply.

    Args:
        reply: the reply's content, with status ``error``.
        cell: the cell's index.
        number: its number among code cells, from 1.
        source: the cell's text.
    """
    frames = [strip_ansi(frame) for frame in reply.get("traceback") or []]
    frames = [frame for frame in frames if not _OUR_FRAME.match(frame.lstrip())]
    return CellError(
        type=str(reply.get("ename", "")),
        message=strip_ansi(str(reply.get("evalue", ""))),
        cell=cell,
        number=number,
        line=_line(frames, _leading_blank_lines(source)),
        first_line=first_line(source),
        traceback="\n".join(frames),
    )


def strip_ansi(text: str) -> str:
    """The text without colours and cursor moves."""
    return _ANSI.sub("", text)


def first_line(source: str) -> str:
    """The first line of code in a cell, shortened; a comment where there is nothing else."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    line = next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
    return line if len(line) <= 80 else line[:79] + "…"


def _leading_blank_lines(source: str) -> int:
    """Lines that IPython leaves out before it counts."""
    return source[: len(source) - len(source.lstrip())].count("\n")


def _line(frames: list[str], left_out: int) -> int | None:
    for frame in frames:
        timed = _TIMED_FRAME.search(frame)
        if timed:
            return int(timed[1]) + 1 + left_out
    for frame in frames:
        in_cell = _CELL_FRAME.search(frame)
        if in_cell:
            return int(in_cell[1]) + left_out
    return None
