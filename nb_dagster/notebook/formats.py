"""Notebook files to nbformat 4: ``.ipynb`` of any age, Jupytext ``py:percent`` and Markdown."""

from __future__ import annotations

import json
import os
from typing import Any, NoReturn

from nb_dagster.errors import UnreadableNotebook

_JUPYTEXT_ENDINGS = (".py", ".md", ".r", ".R", ".jl", ".sh")


def parse_notebook(name: str, raw: bytes) -> dict[str, Any]:
    """The notebook in a file's bytes: nbformat 4, sources as text, outputs left out.

    Args:
        name: path or URL of the file; its ending says what it is.
        raw: its bytes.

    Raises:
        UnreadableNotebook: it is no notebook.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(name, f"is not UTF-8 text (byte {error.start} is 0x{raw[error.start]:02x}); save it as UTF-8")
    if not text.strip():
        _refuse(name, "is empty")
    ending = jupytext_ending(name)
    if ending:
        return _normalize(name, _from_jupytext(name, text, ending))
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(name, f"is no notebook: not JSON ({error})")
    return _normalize(name, _upgrade(name, notebook))


def jupytext_ending(name: str) -> str:
    """The ending of a file that Jupytext reads; empty where it is read as an ``.ipynb``."""
    return next((ending for ending in _JUPYTEXT_ENDINGS if name.endswith(ending)), "")


def read_bytes(name: str) -> bytes:
    """The bytes of a file, local or remote.

    Raises:
        UnreadableNotebook: there is no such file, or it cannot be read.
    """
    try:
        if "://" in name:
            from upath import UPath

            content: bytes = UPath(name).read_bytes()
            return content
        with open(name, "rb") as file:
            return file.read()
    except FileNotFoundError:
        _refuse(name, "does not exist")
    except IsADirectoryError:
        _refuse(name, "is a folder, not a notebook")
    except Exception as error:  # fsspec's back ends raise what they like
        _refuse(name, f"cannot be read ({type(error).__name__}: {error})")


def changed_at(name: str) -> float | None:
    """When a file was last changed, moved or copied here, in seconds since the epoch; None of a remote one."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return None
    return max(status.st_mtime, status.st_ctime)


def _upgrade(name: str, notebook: Any) -> dict[str, Any]:
    """An older notebook in nbformat 4."""
    if not isinstance(notebook, dict):
        _refuse(name, "is no notebook: its JSON is no object")
    version = notebook.get("nbformat")
    if not isinstance(version, int) or isinstance(version, bool):
        _refuse(name, "is no notebook: it has no nbformat number")
    if version == 4:
        return notebook
    if not 1 <= version < 4:
        _refuse(name, f"is nbformat {version}; this version reads 1 to 4")
    import nbformat
    import nbformat.reader

    try:
        old = nbformat.reader.reads(json.dumps(notebook))  # type: ignore[no-untyped-call]
        return _plain(nbformat.convert(old, 4))  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat's converters raise what the missing key raises
        _refuse(name, f"is a broken notebook of nbformat {version} ({type(error).__name__}: {error})")


def _from_jupytext(name: str, text: str, ending: str) -> dict[str, Any]:
    import jupytext

    try:
        format_name, _ = jupytext.guess_format(text, ending)
        return _plain(jupytext.reads(text, fmt={"extension": ending, "format_name": format_name}))
    except Exception as error:  # jupytext names its errors by format, not by kind
        _refuse(name, f"cannot be read by Jupytext ({type(error).__name__}: {error})")


def _plain(notebook: Any) -> dict[str, Any]:
    """A library's notebook as JSON; what a YAML header has that JSON has not, such as dates, as text."""
    plain: dict[str, Any] = json.loads(json.dumps(notebook, default=str))
    return plain


def _normalize(name: str, notebook: dict[str, Any]) -> dict[str, Any]:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        _refuse(name, "is no notebook: it has no list of cells")
    metadata = notebook.get("metadata")
    return {
        "nbformat": 4,
        "nbformat_minor": notebook.get("nbformat_minor", 5),
        "metadata": dict(metadata) if isinstance(metadata, dict) else {},
        "cells": [_normalize_cell(name, index, cell) for index, cell in enumerate(cells)],
    }


def _normalize_cell(name: str, index: int, cell: Any) -> dict[str, Any]:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        _refuse(name, f"is no notebook: cell {index + 1} is no code, markdown or raw cell")
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        _refuse(name, f"is no notebook: the source of cell {index + 1} is no text")
    metadata = dict(cell["metadata"]) if isinstance(cell.get("metadata"), dict) else {}
    tags = metadata.get("tags")
    metadata["tags"] = [str(tag) for tag in tags] if isinstance(tags, list) else []
    if not metadata["tags"]:
        del metadata["tags"]
    kept = {key: cell[key] for key in ("id", "attachments") if key in cell}
    normal = {**kept, "cell_type": cell["cell_type"], "source": source, "metadata": metadata}
    if cell["cell_type"] == "code":
        normal |= {"outputs": [], "execution_count": None}
    return normal


def _refuse(name: str, reason: str) -> NoReturn:
    raise UnreadableNotebook(f"{name} {reason}")
