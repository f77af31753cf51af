"""Which commit a notebook's source is at."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(source: str) -> str | None:
    """The git commit of the repository that a file is in; None outside of one.

    Args:
        source: path or URL of the file.
    """
    if "://" in source:
        return None
    command = ["git", "rev-parse", "HEAD"]
    folder = Path(source).absolute().parent
    try:
        found = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
