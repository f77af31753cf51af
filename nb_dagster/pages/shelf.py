"""What of a store a page server shows: names become paths that stay under the store's root, or are not found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nb_dagster.store.attempts import Attempt, attempts, store_folder

MAX_NAME = 255
"""Characters of one part of a path; file systems have no longer ones."""


class NotFound(LookupError):
    """There is no such thing in the store; the message is a sentence for the reader."""


class Shelf:
    """A store, as far as pages show it.

    Args:
        store: its folder, or its URL.
    """

    def __init__(self, store: str) -> None:
        self.root: Any = store_folder(store)

    def workflow(self, name: str) -> list[Attempt]:
        """The attempts of a workflow, the newest first.

        Raises:
            NotFound: there are none.
        """
        self._inside(self.root / _checked(name))
        found = attempts(self.root, name)
        if not found or found[0].workflow != name:
            raise NotFound(f"there is no workflow {_quoted(name)} in this store")
        return found

    def attempt(self, workflow: str, name: str) -> Attempt:
        """An attempt by the name of its folder.

        Raises:
            NotFound: there is none.
        """
        _checked(name)
        found = next((each for each in self.workflow(workflow) if each.name == name), None)
        if found is None:
            raise NotFound(f"there is no attempt {_quoted(name)} of {_quoted(workflow)} in this store")
        return found

    def notebook(self, attempt: Attempt) -> Any:
        """The path of an attempt's notebook.

        Raises:
            NotFound: it has none, or not yet.
        """
        if (path := attempt.notebook) is not None:
            return self._inside(path)
        if (self.root / ".running" / f"{attempt.workflow}-{attempt.name}.jsonl").exists():
            raise NotFound(f"{attempt.workflow}, {attempt.name}: it is still running, its page comes when it has ended")
        raise NotFound(f"{attempt.workflow}, {attempt.name}: it left no notebook")

    def files(self, attempt: Attempt) -> list[str]:
        """Names of an attempt's files, at most a hundred, in order."""
        folder = self._files(attempt)
        if not folder.is_dir():
            return []
        found = (path for path in folder.rglob("*") if not path.name.startswith(".") and path.is_file())
        return sorted(path.relative_to(folder).as_posix() for path, _ in zip(found, range(100), strict=False))

    def file(self, attempt: Attempt, name: str) -> Any:
        """The path of one of an attempt's files.

        Raises:
            NotFound: there is none.
        """
        path = self._inside(self._files(attempt).joinpath(*map(_checked, name.split("/"))))
        if not path.is_file():
            raise NotFound(f"{attempt.workflow}, {attempt.name}: it has no file {_quoted(name)}")
        return path

    def _files(self, attempt: Attempt) -> Any:
        notebook = self.notebook(attempt)
        return notebook.with_name(notebook.name.removesuffix(".ipynb") + ".files")

    def _inside(self, path: Any) -> Any:
        """The path, links followed, if that is under the root."""
        if not isinstance(path, Path):
            return path
        root, real = os.path.realpath(self.root), os.path.realpath(path)
        if os.path.commonpath([root, real]) != root:
            raise NotFound("the path leads out of the store")
        return Path(real)


def _checked(name: str) -> str:
    """One part of a path that came from outside."""
    if (
        not name
        or name.startswith(".")
        or len(name.encode("utf-8", "replace")) > MAX_NAME
        or {*name} & {"/", "\\", "\0"}
    ):
        raise NotFound(f"{_quoted(name)} is no name of anything in this store")
    return name


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")
