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


def nb_dagster(*arguments: str | Path, cwd: Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def as_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What ``--json`` printed, which is one line and nothing else."""
    assert done.stdout.count("\n") == 1, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
