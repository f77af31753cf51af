"""The attempts in a store: which workflows, when, which run, and what their notebooks say of how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nb_dagster.store.notebooks import slug

_FOLDER = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)-([\w.+-]{1,8})-(\d{1,9})(?:\.(\d{1,3}))?")
_METADATA = b'\n "metadata": {'
"""How nbformat starts the metadata of a notebook: behind its cells, on a line that is in no text of JSON."""
_TAILS = (1 << 16, 1 << 22)
"""Bytes of a file's end that are looked at for it, parameters included."""


@dataclass(frozen=True)
class Attempt:
    """One attempt of a workflow.

    Attributes:
        workflow: name of the workflow's folder.
        name: name of the attempt's own folder: when, which run, which attempt.
        folder: that folder, local or remote.
        started: when its folder was taken, in UTC, to the second.
        run: the first eight characters of the run's id.
        number: number of the attempt.
    """

    workflow: str
    name: str
    folder: Any
    started: datetime
    run: str
    number: int

    @property
    def notebook(self) -> Any:
        """Path of the executed notebook; None while it runs, or where it was never written."""
        names = {path.name: path for path in _entries(self.folder) if path.name.endswith(".ipynb")}
        views = {f"{name.removesuffix('.ipynb')}.view.ipynb" for name in names}
        return next((names[name] for name in sorted(names.keys() - views) if not name.startswith(".")), None)

    def facts(self) -> dict[str, Any]:
        """What the notebook says of its run (``status``, ``reason``, ``parameters``, …); empty where it says nothing."""
        path = self.notebook
        return {} if path is None else read_facts(path)


def workflows(root: Any) -> list[str]:
    """Names of the workflows in a store, in order.

    Args:
        root: the store's folder: a ``pathlib.Path``, or a ``UPath``.
    """
    return sorted(path.name for path in _entries(root) if not path.name.startswith(".") and path.is_dir())


def attempts(root: Any, workflow: str) -> list[Attempt]:
    """The attempts of a workflow, the newest first; empty where there is no such workflow.

    Args:
        root: the store's folder.
        workflow: the workflow's name.

    Example:
        >>> [attempt.facts()["status"] for attempt in attempts(Path(".nb_dagster/notebooks"), "train")]
        ['succeeded', 'failed']
    """
    name = slug(workflow)
    found = [attempt for path in _entries(root / name) if (attempt := _attempt(name, path)) is not None]
    return sorted(found, key=lambda each: (each.started, each.number, each.name), reverse=True)


def find_attempt(found: list[Attempt], *, succeeded: bool, until: datetime | None = None) -> Attempt | None:
    """The newest attempt that has a notebook; None where there is none.

    Args:
        found: attempts of a workflow, the newest first.
        succeeded: whether it must have succeeded.
        until: it must have started by then.
    """
    for attempt in found:
        if until is not None and attempt.started > until:
            continue
        if attempt.facts().get("status") == "succeeded" if succeeded else attempt.notebook is not None:
            return attempt
    return None


def read_facts(path: Any) -> dict[str, Any]:
    """What an executed notebook says of its run, read from the end of the file, whatever its size.

    Args:
        path: the notebook, local or remote.
    """
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for tail in _TAILS:
            file.seek(max(0, size - tail))
            _, mark, rest = file.read().rpartition(_METADATA)
            if mark:
                metadata, _ = json.JSONDecoder().raw_decode("{" + rest.decode("utf-8"))
                facts = metadata.get("nb_dagster")
                return facts if isinstance(facts, dict) else {}
    return {}


def _attempt(workflow: str, path: Any) -> Attempt | None:
    match = _FOLDER.fullmatch(path.name)
    if match is None:
        return None
    try:
        started = datetime.strptime(match[1], "%Y-%m-%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return Attempt(workflow, path.name, path, started, match[2], int(match[3]))


def _entries(folder: Any) -> Iterator[Any]:
    with contextlib.suppress(OSError):
        yield from folder.iterdir()


def store_folder(root: str) -> Any:
    """The folder of a store as a path: ``pathlib.Path`` of a local one, ``UPath`` of a remote one."""
    if "://" not in root:
        return Path(root).absolute()
    from upath import UPath

    path = UPath(root)
    return Path(path.path) if path.protocol in ("file", "local") else path
