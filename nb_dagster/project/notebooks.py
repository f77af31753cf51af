"""The notebooks of a project: the file of a workflow, and the workflows of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nb_dagster.definitions.workflow import notebook_cache
from nb_dagster.errors import RunRefused, UnreadableNotebook
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.project.words import nearest

SUFFIXES = (".ipynb", ".py", ".md")
_MARKS = (b"parameters", b"nb_dagster")
_NOT_OURS = {"node_modules", "site-packages", "__pycache__"}


def find_notebook(folder: str, file: str | None, workflow: str) -> str:
    """The path of a workflow's notebook.

    Args:
        folder: the notebook folder, or its URL.
        file: what the workflow says of it; None takes the file of its name.
        workflow: its name.

    Raises:
        RunRefused: there is no such file.
    """
    if "://" in folder or (file is not None and "://" in file):  # whether it is there is seen when it is read
        name = file or f"{workflow}.ipynb"
        return name if "://" in name else f"{folder.rstrip('/')}/{name}"
    tried = [file] if file is not None else [workflow + suffix for suffix in SUFFIXES]
    for each in tried:
        if os.path.isfile(os.path.join(folder, each)):
            return os.path.join(folder, each)
    hint = nearest(tried[0], (os.path.relpath(path, folder) for path in notebook_files(folder)))
    raise RunRefused(f"there is no notebook {tried[0]} in {folder}; {hint}".rstrip("; "))


def notebooks_in(folder: str) -> Iterator[NotebookDocument]:
    """The notebooks under a folder that are workflows: those with a parameters cell, or settings of their own.

    Raises:
        RunRefused: there is no such folder, or one of them is broken.
    """
    if "://" in folder:
        raise RunRefused(f"the notebooks of {folder} cannot be listed; name them under workflows")
    if not os.path.isdir(folder):
        raise RunRefused(f"there is no folder {folder}")
    for path in notebook_files(folder):
        raw = Path(path).read_bytes()
        if any(mark in raw for mark in _MARKS):  # of ordinary modules and pages, few are worth reading as notebooks
            try:
                document = notebook_cache().read(path)
            except UnreadableNotebook:
                if path.endswith(".ipynb"):
                    raise
                continue  # a module or a page that is no notebook at all
            is_executed = document.settings is None
            if not is_executed and (document.parameters or document.settings or document.parameters_cell is not None):
                yield document


def notebook_files(folder: str) -> Iterator[str]:
    """The files under a folder that may be notebooks by their names."""
    for parent, folders, names in os.walk(os.path.normpath(folder)):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _NOT_OURS)
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(SUFFIXES))
