"""The ways a run ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nb_dagster.runner.result import CellStatus, Status


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        status: its status.
        reason: why, in words.
        kernel_is_well: whether the kernel answers, so that its exit handlers can run.
        is_infrastructure: whether something else than the notebook broke.
    """

    status: Status
    reason: str | None = None
    kernel_is_well: bool = False
    is_infrastructure: bool = False

    @property
    def cell_status(self) -> CellStatus:
        """How the cell ended that the run ended with."""
        return self.status


class Stopped(Exception):
    """A cell was stopped from outside: by a limit, a cancel, or its kernel's death."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


def ended_by_author(reply: dict[str, Any], number: int) -> Ending | None:
    """``sys.exit(...)`` or ``exit()`` in a cell: the author's own end of the notebook; 0 or nothing is a success."""
    asked = any(payload.get("source") == "ask_exit" for payload in reply.get("payload") or [])
    if asked and reply.get("status") == "ok":
        return Ending("succeeded", f"ended early by exit() in cell {number}", kernel_is_well=True)
    if reply.get("ename") != "SystemExit":
        return None
    code = str(reply.get("evalue", ""))
    if code in ("", "0", "None"):
        return Ending("succeeded", f"ended early by sys.exit({code}) in cell {number}", kernel_is_well=True)
    shown = code if re.fullmatch(r"-?\d+", code) else repr(code)
    return Ending("failed", f"sys.exit({shown}) in cell {number}", kernel_is_well=True)
