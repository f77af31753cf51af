"""The files that say which Python packages there are, and what they name in turn."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nb_dagster.runtimes.refused import RuntimeRefused
from nb_dagster.runtimes.words import LOCKS, check_file, has_password

_INCLUDES = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]*(.+)")
_LOCAL = re.compile(r"-e\b|--editable\b|\.{0,2}/|file:|\.$")


def package_files(folder: Path, file: str) -> list[str]:
    """A file of packages and all that is read with it, seen from the folder.

    Raises:
        RuntimeRefused: one is missing, has a password, or names what is no package.
    """
    found: dict[str, None] = {}
    for each in _files(folder, file):
        found[each] = None
    return list(found)


def _files(folder: Path, file: str) -> Iterator[str]:
    text = _read(folder, file)
    if PurePosixPath(file).name == "uv.lock":
        project = str(PurePosixPath(file).with_name("pyproject.toml"))
        _read(folder, project)
        yield project
    yield file
    if PurePosixPath(file).name not in LOCKS:
        yield from _included(folder, file, text, (file,))


def _included(folder: Path, file: str, text: str, around: tuple[str, ...]) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if _LOCAL.match(line.strip()):
            raise RuntimeRefused(
                "packages", f"{file}:{number} names a folder or file; packages are installed before the code is there"
            )
        if not (match := _INCLUDES.match(line.strip())):
            continue
        try:
            other = check_file(posixpath.normpath(PurePosixPath(file).parent / match[1].split(" #")[0].strip()))
        except ValueError as error:
            raise RuntimeRefused("packages", f"{file}:{number}: {error}") from None
        if other not in around:
            inner = _read(folder, other)
            yield other
            yield from _included(folder, other, inner, (*around, other))


def _read(folder: Path, file: str) -> str:
    try:
        text = (folder / file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RuntimeRefused("packages", f"{file} cannot be read ({reason})") from None
    if has_password(text):
        raise RuntimeRefused("packages", f"{file} has an address with a password, which would be in the image")
    return text
