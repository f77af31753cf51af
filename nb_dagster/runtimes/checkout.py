"""The code of a project as an image has it: of a commit, with the changes since, or the folder as it is."""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nb_dagster.errors import RunRefused
from nb_dagster.runtimes.git import NoRepository, git


@dataclass(frozen=True)
class Checkout:
    """The code of a project.

    Attributes:
        folder: where its files are.
        words: what it is, for messages.
        version: the tag or commit, as ``git describe`` names it, and what it is beside that.
        revision: the commit that it is of, or that it began with; None outside of git.
        is_dirty: whether it is not all in that commit.
        files: the files that git knows or does not ignore; None where all in the folder count.
    """

    folder: Path
    words: str
    version: str
    revision: str | None
    is_dirty: bool
    files: frozenset[str] | None = None


@contextlib.contextmanager
def commit(folder: Path, ref: str = "HEAD") -> Iterator[Checkout]:
    """The code of a commit, whatever the folder has now.

    Raises:
        RunRefused: there is no repository, or no such commit.
    """
    sha = _commit_of(folder, ref)
    with _files_of(folder, sha) as files:
        yield Checkout(files, f"commit {sha[:10]}", _describe(folder, sha), sha, is_dirty=False)


@contextlib.contextmanager
def stash(folder: Path) -> Iterator[Checkout]:
    """The code of HEAD with the changes of the files that git knows; neither they nor the list of stashes are touched.

    Raises:
        RunRefused: there is no repository, or no change.
    """
    head = _commit_of(folder, "HEAD")
    stashed = git(folder, "stash", "create")
    if not stashed:
        raise RunRefused("no file that git knows has changed since HEAD; leave --stash out, or git add what is new")
    with _files_of(folder, stashed) as files:
        words = f"the changes since commit {head[:10]}"
        yield Checkout(files, words, f"{_describe(folder, head)}-stash", head, is_dirty=True)


@contextlib.contextmanager
def working_tree(folder: Path) -> Iterator[Checkout]:
    """The folder as it is, without what git ignores; it may be in no repository."""
    words = "the folder as it is"
    try:
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except NoRepository:
        yield Checkout(folder, words, "dirty", None, is_dirty=True)
        return
    files = frozenset(filter(None, listed.split("\0")))
    try:
        head = _commit_of(folder, "HEAD")
    except NoCommit:
        yield Checkout(folder, words, "dirty", None, is_dirty=True, files=files)
        return
    yield Checkout(folder, words, f"{_describe(folder, head)}-dirty", head, is_dirty=True, files=files)


def has_changes(folder: Path) -> bool:
    """Whether the folder has what HEAD has not, beside what git ignores."""
    return bool(git(folder, "status", "--porcelain", "--", "."))


class NoCommit(RunRefused):
    """A name that git knows no commit by."""


def _commit_of(folder: Path, ref: str) -> str:
    if ref.startswith("-"):
        raise NoCommit(f"{ref!r} is no commit, tag or branch")
    try:
        return git(folder, "rev-parse", "--verify", f"{ref}^{{commit}}")
    except RunRefused as refused:
        if "Needed a single revision" not in str(refused):
            raise
        raise NoCommit(f"git knows no commit {ref!r}; commit first, or build the folder with --working-tree") from None


def _describe(folder: Path, sha: str) -> str:
    return git(folder, "describe", "--always", "--tags", sha)


@contextlib.contextmanager
def _files_of(folder: Path, sha: str) -> Iterator[Path]:
    """The part of a commit that is under the folder, as files."""
    with tempfile.TemporaryDirectory(prefix="nb-dagster-") as files:
        with tempfile.TemporaryFile() as archive:
            git(folder, "archive", "--format=tar", sha, into=archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as members:
                members.extractall(files, filter="tar")
        yield Path(files)
