"""The real standard output and error, kept for what a person or a program reads, while a run has the process's own.

Dagster captures the descriptors of a step and mirrors them to where they led; that noise goes nowhere here, the
notebook's output is in the run's log, and is shown from the events.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Terminal:
    """Where this command speaks.

    Attributes:
        stdout: results.
        stderr: progress and logs.
    """

    stdout: TextIO
    stderr: TextIO


@contextlib.contextmanager
def own_terminal() -> Iterator[Terminal]:
    """Keep standard output and error for us; whatever else writes there in the block is dropped."""
    sys.stdout.flush()
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as stdout,
        os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace") as stderr,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
    ):
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield Terminal(stdout, stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            stdout.flush()
            stderr.flush()
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
