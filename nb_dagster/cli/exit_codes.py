"""What the process says when it ends, the same for every command."""

from __future__ import annotations

from nb_dagster.runner.result import Status

SUCCEEDED = 0
FAILED = 1
USAGE = 2
TIMED_OUT = 3
KILLED = 4
INFRASTRUCTURE = 5
CANCELLED = 130

EXIT_CODES: dict[Status, int] = {
    "succeeded": SUCCEEDED,
    "skipped": SUCCEEDED,
    "failed": FAILED,
    "timed_out": TIMED_OUT,
    "killed": KILLED,
    "cancelled": CANCELLED,
}
