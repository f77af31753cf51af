"""The store of executed notebooks: ``<root>/<workflow>/<time>-<run>-<attempt>/<notebook>.ipynb`` and ``.files/`` beside it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nb_dagster.errors import RunRefused
from nb_dagster.notebook.records import FileValue
from nb_dagster.runner.recovery import recover_notebook
from nb_dagster.runner.result import NotebookResult

DEFAULT_ROOT = ".nb_dagster/notebooks"
_RUNNING = ".running"
_DATA = ".data"
_LONGEST = 100  # bytes of a part of a path, so that there is room for what is put before and behind it


class StorePlace:
    """A place for one attempt in a store: a folder of its own, taken when the run starts.

    Args:
        folder: the store's local folder.
        workflow: the workflow's name.
        run_id: id of the run.
        attempt: number of the attempt.
        notebook: name of the notebook.
    """

    def __init__(self, folder: Path, *, workflow: str, run_id: str, attempt: int, notebook: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
        self._root = folder
        self._workflow = slug(workflow)
        self._name = slug(f"{stamp}-{slug(run_id)[:8]}-{attempt}")
        self._notebook = f"{slug(notebook)}.ipynb"

    def check(self) -> None:
        """Any attempt has a place."""

    def reserve(self) -> tuple[Path, Path]:
        """Make the folder; never one that exists.

        Raises:
            RunRefused: a link in the store leads out of it.
        """
        for name in (self._workflow, _RUNNING):
            if (self._root / name).resolve() != self._root.resolve() / name:
                raise RunRefused(f"{self._root / name} is a link; what a store keeps stays under its own folder")
        for suffix in ("", *(f".{count}" for count in range(2, 1000))):
            folder = self._root / self._workflow / f"{self._name}{suffix}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder / self._notebook, self._root / _RUNNING / f"{self._workflow}-{folder.name}.jsonl"
        raise FileExistsError(f"{self._workflow}/{self._name} exists a thousand times")


class NotebookStore:
    """Keeps every attempt's executed notebook and files, each in a folder of its own.

    Args:
        root: a local folder, or a URL that universal-pathlib knows (``s3://bucket/notebooks``). A remote store is
            written when the attempt has ended; until then it is in a local staging folder.
        pages: address of the server that shows its pages (``nb-dagster serve``), if there is one.

    Attributes:
        root: the same, as text.
        folder: the local folder that attempts are written to.

    Example:
        >>> store = NotebookStore("notebooks")
        >>> place = store.place("train", run_id="1a2b3c4d", attempt=1, notebook="train")
    """

    def __init__(self, root: str | os.PathLike[str] = DEFAULT_ROOT, *, pages: str | None = None) -> None:
        self.root = os.fspath(root)
        self._pages = pages
        self._is_remote = "://" in self.root
        self.folder = _staging_folder(self.root) if self._is_remote else Path(self.root).absolute()

    def place(self, workflow: str, *, run_id: str, attempt: int, notebook: str) -> StorePlace:
        """A place for an attempt; nothing is made before its run starts."""
        return StorePlace(self.folder, workflow=workflow, run_id=run_id, attempt=attempt, notebook=notebook)

    def data_folder(self, run_id: str) -> Path:
        """The folder of this machine that the steps of a run share; it is made when a notebook asks for it."""
        return self.folder / _DATA / slug(run_id)

    def publish(self, result: NotebookResult) -> NotebookResult:
        """Bring an ended attempt to where it is kept; the result then names those places."""
        if self._is_remote:
            here = Path(result.executed_notebook).parent
            result = _moved(result, str(here), str(self._upload(here)))
        return replace(result, page=self._page_of(result.executed_notebook))

    def recover(self) -> list[Any]:
        """Make the notebooks of runs whose process was killed from their journals.

        Returns:
            Their paths; empty where there was nothing to do.
        """
        journals = (self.folder / _RUNNING).glob("*.jsonl")
        recovered = [path for each in journals if (path := recover_notebook(each, self.folder)) is not None]
        return [self._upload(path.parent) / path.name for path in recovered] if self._is_remote else recovered

    def _page_of(self, executed: str) -> str | None:
        """The address of a notebook's page; one that had to be kept elsewhere has none."""
        if not self._pages or not ("://" in executed or Path(executed).is_relative_to(self.folder)):
            return None
        workflow, attempt, _ = executed.replace(os.sep, "/").rsplit("/", 3)[1:]
        return f"{self._pages.rstrip('/')}/{quote(workflow)}/{quote(attempt)}/"

    def _upload(self, here: Path) -> Any:
        """Move an attempt's folder to the remote store."""
        from upath import UPath

        there = UPath(self.root) / here.relative_to(self.folder).as_posix()
        for path in sorted(here.rglob("*")):
            if path.is_file() and not path.is_symlink():
                target = there / path.relative_to(here).as_posix()
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        shutil.rmtree(here, ignore_errors=True)
        return there


def slug(name: str) -> str:
    """A name as one part of a path; a long one is cut, and told from others that begin like it by its hash."""
    plain = re.sub(r"[^\w.+-]+", "_", name).strip(".") or "_"
    if len(plain.encode()) <= _LONGEST:
        return plain
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{plain.encode()[: _LONGEST - 9].decode(errors='ignore')}-{digest}"


def _staging_folder(root: str) -> Path:
    """A folder for each remote store, under one that is this user's.

    Raises:
        RunRefused: somebody else has made it.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    own = Path(tempfile.gettempdir()) / f"nb_dagster-staging-{user}"
    if own.is_symlink() or (own.exists() and own.stat().st_uid != user):
        raise RunRefused(f"{own} belongs to somebody else; notebooks on their way to {root} are not written there")
    return own / f"{slug(root)}-{hashlib.sha256(root.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class RemoteFileValue(FileValue):
    """An output that is kept as a file in a remote store."""

    def load(self) -> Any:
        """The DataFrame or array."""
        from upath import UPath

        with tempfile.TemporaryDirectory(prefix="nbd-") as folder:
            local = os.path.join(folder, os.path.basename(self.path))
            Path(local).write_bytes(UPath(self.path).read_bytes())
            return FileValue(local, self.format, self.shape).load()


def _moved(result: NotebookResult, here: str, there: str) -> NotebookResult:
    def move(path: str) -> str:
        return there + path[len(here) :].replace(os.sep, "/") if Path(path).is_relative_to(here) else path

    records = replace(
        result.records,
        outputs={
            name: RemoteFileValue(move(value.path), value.format, value.shape)
            if isinstance(value, FileValue)
            else value
            for name, value in result.records.outputs.items()
        },
        artifacts={name: move(path) for name, path in result.records.artifacts.items()},
    )
    return replace(result, executed_notebook=move(result.executed_notebook), records=records)
