"""Files that arrive somewhere: what is there now, and what has been there, unchanged, since the last look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""How file systems call the time of a file's last change; the first that one tells is taken."""
_VERSIONS = ("ETag", "etag", "md5Hash", *_TIMES)
"""The same of what changes with a file's content."""


@dataclass(frozen=True)
class Arrival:
    """A file as it was at one look.

    Attributes:
        path: its path, or its URL.
        size: its bytes.
        version: what else changes with its content: its ETag, or when it was written.
        written: when it was written.
    """

    path: str
    size: int
    version: str
    written: str

    @property
    def key(self) -> str:
        """What tells it from every other file, and from itself with other content."""
        return f"{self.path} ({self.size} bytes, {self.version})"

    @property
    def digest(self) -> str:
        """Its key, short."""
        return hashlib.blake2b(self.key.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def look(pattern: str) -> list[Arrival]:
    """The files that match a pattern now, oldest first as far as that is known; hidden ones are left out.

    Args:
        pattern: a local path or a URL of universal-pathlib, with ``*``, ``?``, ``[...]`` and ``**``.

    Raises:
        Exception: the place cannot be reached; whatever its file system says.
    """
    from upath import UPath

    place = UPath(pattern)
    place.fs.invalidate_cache()
    found: dict[str, Any] = place.fs.glob(place.path, detail=True)
    is_local = "://" not in pattern
    files = [
        Arrival(
            path=name if is_local else place.fs.unstrip_protocol(name),
            size=int(each.get("size") or 0),
            version=_first(each, _VERSIONS),
            written=_first(each, _TIMES),
        )
        for name, each in found.items()
        if each.get("type") != "directory" and not name.rpartition("/")[2].startswith(".")
    ]
    return sorted(files, key=lambda each: (each.written, each.path))


def _first(info: dict[str, Any], names: Iterable[str]) -> str:
    return next((str(info[name]) for name in names if info.get(name)), "")


@dataclass
class Seen:
    """What is remembered from look to look: eight bytes of each file that is still there.

    Attributes:
        settling: digests of the files of the last look that no run was seen of.
        taken: digests of those that have their run.
    """

    settling: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, text: str | None) -> Seen:
        """What :meth:`__str__` wrote."""
        return cls(**{name: set(digests) for name, digests in json.loads(text).items()}) if text else cls()

    def __str__(self) -> str:
        return json.dumps({"settling": sorted(self.settling), "taken": sorted(self.taken)})

    def settled(self, files: Iterable[Arrival]) -> Iterator[Arrival]:
        """Those files that have not changed since the last look, and have no run yet."""
        return (each for each in files if each.digest in self.settling)

    def after(self, files: Iterable[Arrival], taken: Collection[Arrival]) -> Seen:
        """What is remembered after a look.

        Args:
            files: all that are there.
            taken: those of which a run was seen now.
        """
        there = {each.digest for each in files}
        done = there & self.taken | {each.digest for each in taken}
        return Seen(there - done, done)
