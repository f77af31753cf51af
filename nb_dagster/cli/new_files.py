"""Files that a command makes for people to keep."""

from __future__ import annotations

from pathlib import Path

from nb_dagster.errors import RunRefused


def write_new(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file, over another only where that is asked for.

    Raises:
        RunRefused: it is there already, or its folder is not.
    """
    if not path.absolute().parent.is_dir():
        raise RunRefused(f"{path}: there is no folder {path.absolute().parent}")
    try:
        with open(path, "w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RunRefused(f"{path} exists already, and is written over only with --force") from None
