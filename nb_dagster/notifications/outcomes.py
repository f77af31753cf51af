"""What people can be told of."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Outcome: TypeAlias = Literal["success", "failure", "retry", "skip", "cancel", "missed"]
"""``retry`` is a failure after which another attempt follows; ``missed`` a moment of a schedule that has no run."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

WORDS: dict[Outcome, str] = {
    "success": "succeeded",
    "failure": "failed",
    "retry": "failed, and is tried again",
    "skip": "skipped itself",
    "cancel": "was cancelled",
    "missed": "was not run",
}

OF_STATUS: dict[str, tuple[Outcome, str]] = {
    "succeeded": ("success", WORDS["success"]),
    "skipped": ("skip", WORDS["skip"]),
    "failed": ("failure", WORDS["failure"]),
    "timed_out": ("failure", "timed out"),
    "killed": ("failure", "was killed"),
    "cancelled": ("cancel", WORDS["cancel"]),
}
"""The outcome of a notebook by its status, and how a sentence says it."""
