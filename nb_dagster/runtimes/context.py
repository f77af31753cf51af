"""What is sent to the engine: the code without what is ignored, and the Dockerfile; the same code gives the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nb_dagster.runtimes.checkout import Checkout
from nb_dagster.runtimes.ignore import FILE, all_rules, not_code


@dataclass(frozen=True)
class BuildContext:
    """A tar file for the engine.

    Attributes:
        file: the tar, at its beginning.
        dockerfile: the name of the Dockerfile in it.
        key: the SHA-256 of it.
        left_out: files that would be in it, if they were not named like secrets.
    """

    file: IO[bytes]
    dockerfile: str
    key: str
    left_out: list[str]


@contextlib.contextmanager
def pack(checkout: Checkout, name: str, dockerfile: str, needed: Collection[str] = ()) -> Iterator[BuildContext]:
    """Pack code and Dockerfile.

    Args:
        checkout: the code.
        name: the Dockerfile's name.
        dockerfile: its text.
        needed: files that it copies, which are packed whatever is ignored.
    """
    chosen = _chosen(checkout, all_rules(checkout.folder)) | {*needed}
    left_out = sorted(_chosen(checkout, not_code(checkout.folder)) - chosen)
    own = {name: dockerfile, FILE: f"{name}\n{FILE}\n"}  # the engine reads both, and has neither in the image
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(chosen - {*own}):
                _add(tar, checkout.folder, path)
            for path, text in own.items():
                content = text.encode()
                member = tarfile.TarInfo(path)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        file.seek(0)
        key = _digest(file)
        file.seek(0)
        yield BuildContext(file, name, key, left_out)


def _chosen(checkout: Checkout, rules: list[str]) -> set[str]:
    """The files, links too, that rules let in."""
    from docker.utils.build import PatternMatcher

    found = {path.replace(os.sep, "/") for path in PatternMatcher(rules).walk(str(checkout.folder))}
    if checkout.files is not None:
        found &= checkout.files
    modes = ((path, (checkout.folder / path).lstat().st_mode) for path in found)
    return {path for path, mode in modes if stat.S_ISREG(mode) or stat.S_ISLNK(mode)}


def _add(tar: tarfile.TarFile, folder: Path, path: str) -> None:
    """A file without owner, time and umask; a link as a link, wherever it leads."""
    member = tarfile.TarInfo(path)
    source = folder / path
    if source.is_symlink():
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(source)
        tar.addfile(member)
        return
    with source.open("rb") as content:
        status = os.fstat(content.fileno())
        member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
        tar.addfile(member, content)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
