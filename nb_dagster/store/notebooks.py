"""The store of executed notebooks: ``<root>/<workflow>/<time>-<run>-<attempt>/<notebook>.ipynb`` and ``.files/`` beside it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nb_dagster.notebook.records import FileValue, Records
from nb_dagster.runner.journal import recover_notebook
from nb_dagster.runner.result import NotebookResult

DEFAULT_ROOT = ".nb_dagster/notebooks"
_RUNNING = ".running"


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
        self._name = f"{stamp}-{slug(run_id)[:8]}-{attempt}"
        self._notebook = f"{slug(notebook)}.ipynb"

    def check(self) -> None:
        """Any attempt has a place."""

    def reserve(self) -> tuple[Path, Path]:
        """Make the folder; never one that exists."""
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

    Example:
        >>> store = NotebookStore("notebooks")
        >>> place = store.place("train", run_id="1a2b3c4d", attempt=1, notebook="train")
    """

    def __init__(self, root: str | os.PathLike[str] = DEFAULT_ROOT) -> None:
        self.root = os.fspath(root)
        self._is_remote = "://" in self.root
        self._local = _staging_folder(self.root) if self._is_remote else Path(self.root).absolute()

    def place(self, workflow: str, *, run_id: str, attempt: int, notebook: str) -> StorePlace:
        """A place for an attempt; nothing is made before its run starts."""
        return StorePlace(self._local, workflow=workflow, run_id=run_id, attempt=attempt, notebook=notebook)

    def publish(self, result: NotebookResult) -> NotebookResult:
        """Bring an ended attempt to where it is kept; the result then names those places."""
        if not self._is_remote:
            return result
        here = Path(result.executed_notebook).parent
        return _moved(result, str(here), str(self._upload(here)))

    def recover(self) -> list[Any]:
        """Make the notebooks of runs whose process was killed from their journals.

        Returns:
            Their paths; empty where there was nothing to do.
        """
        journals = (self._local / _RUNNING).glob("*.jsonl")
        recovered = [path for path in map(recover_notebook, journals) if path is not None]
        return [self._upload(path.parent) / path.name for path in recovered] if self._is_remote else recovered

    def _upload(self, here: Path) -> Any:
        """Move an attempt's folder to the remote store."""
        from upath import UPath

        there = UPath(self.root) / here.relative_to(self._local).as_posix()
        for path in sorted(here.rglob("*")):
            if path.is_file():
                target = there / path.relative_to(here).as_posix()
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        shutil.rmtree(here, ignore_errors=True)
        return there


def slug(name: str) -> str:
    """A name as one part of a path."""
    return re.sub(r"[^\w.+-]+", "_", name).strip(".") or "_"


def _staging_folder(root: str) -> Path:
    return (
        Path(tempfile.gettempdir()) / f"nb_dagster-staging-{os.getuid() if hasattr(os, 'getuid') else 0}" / slug(root)
    )


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
        return there + path[len(here) :].replace(os.sep, "/") if path.startswith(here) else path

    records = Records(
        outputs={
            name: RemoteFileValue(move(value.path), value.format, value.shape)
            if isinstance(value, FileValue)
            else value
            for name, value in result.records.outputs.items()
        },
        metrics=result.records.metrics,
        figures=result.records.figures,
        artifacts={name: move(path) for name, path in result.records.artifacts.items()},
        checks=result.records.checks,
        skip_reason=result.records.skip_reason,
    )
    return replace(result, executed_notebook=move(result.executed_notebook), records=records)
