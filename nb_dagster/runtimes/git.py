"""What git says, and what it refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

from nb_dagster.errors import RunRefused

_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "nb-dagster"), ("EMAIL", "nb-dagster@localhost"))
}


class NoRepository(RunRefused):
    """There is no git, or no repository of it."""


def git(folder: Path, *arguments: str, into: IO[bytes] | None = None) -> str:
    """What a git command prints.

    Args:
        folder: where it is run.
        arguments: the command.
        into: a file that takes what it prints.

    Raises:
        NoRepository: the folder is in none.
        RunRefused: git fails; the message is its own.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**_WHO, **os.environ, "LC_ALL": "C"},  # a stash is a commit of somebody
            stdin=subprocess.DEVNULL,
            stdout=into or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
    except OSError as error:
        raise NoRepository(f"git cannot be run ({error.strerror or error}); --working-tree needs none") from None
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        if "not a git repository" in reason:
            raise NoRepository(
                f"{folder.absolute()} is in no git repository; --working-tree builds the folder as it is"
            )
        raise RunRefused(f"git {arguments[0]} in {folder}: {reason or f'it ended with {done.returncode}'}")
    return (done.stdout or b"").decode(errors="surrogateescape").strip("\n")
