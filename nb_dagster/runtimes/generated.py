"""Dockerfiles as files, for people and other builders."""

from __future__ import annotations

from pathlib import Path

from nb_dagster.errors import RunRefused
from nb_dagster.runtimes.dockerfile import MARK
from nb_dagster.runtimes.ignore import FILE, dockerignore


def write_dockerfile(folder: Path, name: str, text: str) -> list[Path]:
    """Write a Dockerfile, and a ``.dockerignore`` where there is none; gives what was written.

    Args:
        folder: where they are written.
        name: the runtime's name.
        text: the Dockerfile.

    Raises:
        RunRefused: the folder cannot be made, or has a Dockerfile of that name that is not ours.
    """
    path, ignore = folder / f"Dockerfile.{name}", folder / FILE
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise RunRefused(f"{path} was not written by nb-dagster, and is not written over; name another --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if ignore.exists():
            return [path]
        ignore.write_text(dockerignore(), encoding="utf-8")
    except OSError as error:
        raise RunRefused(f"{error.filename} cannot be written ({error.strerror})") from None
    return [path, ignore]
