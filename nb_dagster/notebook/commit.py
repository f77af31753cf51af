"""Which commit a notebook's source is at, and whether that is all there is to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DESCRIBE = ("git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty")
_KNOWS = ("git", "ls-files", "--error-unmatch", "--")
_SECONDS = 10


@dataclass(frozen=True)
class Commit:
    """A state of a git repository.

    Attributes:
        sha: the commit that is checked out.
        is_dirty: whether a file that git knows differs from it, or the notebook is none that git knows.
    """

    sha: str
    is_dirty: bool


def commit_of(source: str) -> Commit | None:
    """The state of the repository that a file is in; None outside of one.

    Args:
        source: path or URL of the file.
    """
    if "://" in source:
        return None
    path = Path(source).absolute()
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking at it takes no lock from who works in it
    try:
        described, known = (
            subprocess.Popen(
                command,
                cwd=path.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for command in (_DESCRIBE, (*_KNOWS, path.name))
        )
    except OSError:
        return None
    try:
        text = described.communicate(timeout=_SECONDS)[0].strip()
        known.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        for process in (described, known):
            process.kill()
            process.communicate()
        return None
    if described.returncode != 0:
        return None
    sha = text.removesuffix("-dirty")
    return Commit(sha, is_dirty=sha != text or known.returncode != 0)
