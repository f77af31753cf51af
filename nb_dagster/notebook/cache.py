"""Notebooks as they were read before, by the hash of their bytes, in one file that several processes may share.

A line of the file is one notebook: its key, a checksum, the facts that a definition asks for, and the cells. Lines are
only ever added; one that is broken, for whatever reason, is not counted. The file starts anew each month, and grows no
further than its limit.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib.metadata
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.facts import pack_facts, unpack_facts
from nb_dagster.notebook.formats import changed_at, jupytext_ending, parse_notebook, read_bytes
from nb_dagster.version import __version__

MAX_BYTES = 100_000_000
"""How far the file grows; what has no place in it is read from its notebook."""


class KnownNotebook(NotebookDocument):
    """A notebook whose facts are at hand, and whose cells are decoded when somebody asks for them."""

    def __init__(self, path: str, sha256: str, changed: float | None, facts: dict[str, Any], content: bytes) -> None:
        vars(self).update(facts, path=path, sha256=sha256, changed=changed, _encoded=content)

    @cached_property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(vars(self)["_encoded"])
        return content


class NotebookCache:
    """What was read of notebooks before.

    It is no error where its file cannot be read, written or understood: then the notebooks are read.

    Args:
        file: where it is kept; made, with its folder, when there is something to keep.

    Example:
        >>> NotebookCache(Path(".nb_dagster/notebooks.cache")).read("train.ipynb").parameters["n"].type
        IntType()
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._places = dict(_places(file))

    def read(self, path: str | os.PathLike[str]) -> NotebookDocument:
        """The notebook, as :meth:`NotebookDocument.read` reads it.

        Raises:
            UnreadableNotebook: one sentence naming the file and what is wrong with it.
        """
        name = os.fspath(path)
        raw = read_bytes(name)
        sha256 = hashlib.sha256(raw).hexdigest()
        known = self.find(name, sha256, changed_at(name))
        if known is not None:
            return known
        document = NotebookDocument(name, parse_notebook(name, raw), sha256, changed_at(name))
        self._keep(_key(name, sha256), document)
        return document

    def find(self, path: str, sha256: str, changed: float | None = None) -> NotebookDocument | None:
        """A version of a notebook that was read before; None where it is not kept.

        Args:
            path: its path.
            sha256: hash of the bytes of that version.
            changed: when the file was changed.
        """
        key = _key(path, sha256)
        if key not in self._places:
            return None
        start, length = self._places[key]
        try:
            with self._file.open("rb") as lines:
                lines.seek(start)
                facts, content = _values(lines.read(length), key)
            return KnownNotebook(path, sha256, changed, unpack_facts(json.loads(facts)), content)
        except (OSError, ValueError, TypeError, KeyError):  # the file has changed, or somebody else wrote in it
            return None

    def _keep(self, key: bytes, document: NotebookDocument) -> None:
        with contextlib.suppress(OSError, UnreadableNotebook, TypeError, ValueError, RecursionError):
            self._places[key] = _add(self._file, _line(key, document))


def _key(path: str, sha256: str) -> bytes:
    return f"{sha256}-{_reader()}{jupytext_ending(path)}".encode()


def _line(key: bytes, document: NotebookDocument) -> bytes:
    """The line of a notebook.

    Raises:
        UnreadableNotebook: its parameters cell is no Python.
        TypeError, ValueError: JSON has no form for something in it, as for a choice that is a set or a list.
    """
    facts = json.dumps(pack_facts(document))
    if unpack_facts(json.loads(facts))["parameters"] != document.parameters:
        raise ValueError("its parameters would not be read back as the same")
    values = f"{facts}\t{json.dumps(document.content)}".encode()
    return b"%s\t%08x\t%s\n" % (key, zlib.crc32(values), values)


def _values(line: bytes, key: bytes) -> tuple[bytes, bytes]:
    """The facts and the cells in a line.

    Raises:
        ValueError: it is another line, or broken.
    """
    found, checksum, values = line.removesuffix(b"\n").split(b"\t", 2)
    if found != key or int(checksum, 16) != zlib.crc32(values):
        raise ValueError("not the line that was written")
    facts, content = values.split(b"\t", 1)
    return facts, content


def _places(file: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Where the lines of the file start, and how long they are, by their keys."""
    with contextlib.suppress(OSError), file.open("rb") as lines:
        start = len(_head())
        if lines.read(start) == _head():
            for line in lines:
                yield line.split(b"\t", 1)[0], (start, len(line))
                start += len(line)


def _add(file: Path, line: bytes) -> tuple[int, int]:
    """Put a line at the end of the file, in one write, so that lines of several processes stay apart; says where it is.

    Raises:
        OSError: the file cannot be written, or is full.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b", buffering=0) as lines:
        size, head = lines.tell(), b""
        lines.seek(0)
        if lines.read(len(_head())) != _head():
            if size:
                lines.truncate(0)
            size, head = 0, _head()
        if size + len(line) > MAX_BYTES:
            raise OSError(errno.EFBIG, "the cache is full", str(file))
        lines.write(head + line)
        return lines.tell() - len(line), len(line)


def _head() -> bytes:
    """The first line: what the file is, and of which month."""
    return b"notebooks that nb_dagster has read, %s\n" % time.strftime("%Y-%m", time.gmtime()).encode()


@functools.cache
def _reader() -> str:
    """What reads notebooks, in its present version; what another version has read does not count."""
    digest = hashlib.sha256(f"{__version__} {sys.version}".encode())
    for library in ("jupytext", "nbformat"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(importlib.metadata.version(library).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
