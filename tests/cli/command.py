"""``nb-dagster`` as a person or a scheduler runs it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).with_name("nb-dagster"))


def environment(home: Path | None = None) -> dict[str, str]:
    """The variables of such a process: no Dagster home but the one that is given."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "PYTEST_CURRENT_TEST")}
    return kept if home is None else {**kept, "DAGSTER_HOME": str(home)}


def nb_dagster(
    *arguments: str | Path, cwd: Path, home: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(*arguments: str | Path, cwd: Path, home: Path | None = None) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_line(process: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to the line with a text, which it gives."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}: {seen}")


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What ``--json`` printed, which is one line and nothing else."""
    assert done.stdout.count("\n") == 1, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
