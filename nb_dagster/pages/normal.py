"""A notebook as nbconvert is given it: whatever a kernel sent, in the form that its templates expect, files left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.formats import jupytext_ending, parse_notebook

_ATTACHMENT = re.compile(r"attachment:([^\s)\]\"'>]*)")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_NAME = re.compile(r"\w[\w+-]*")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def read_notebook(name: str, raw: bytes) -> dict[str, Any]:
    """The notebook in a file's bytes, with its saved outputs.

    Args:
        name: path or URL of the file; its ending says what it is.
        raw: its bytes.

    Raises:
        UnreadableNotebook: it is no notebook.
    """
    notebook = parse_notebook(name, raw)
    saved = {} if jupytext_ending(name) else json.loads(raw.decode("utf-8-sig"))
    if saved and saved["nbformat"] != 4:
        raise UnreadableNotebook(f"{name} is nbformat {saved['nbformat']}; save it as nbformat 4 to make a page of it")
    for cell, written in zip(notebook["cells"], saved.get("cells", []), strict=False):
        if cell["cell_type"] == "code":
            cell["outputs"] = list(_outputs(written.get("outputs")))
            count = written.get("execution_count")
            cell["execution_count"] = count if isinstance(count, int) else None
    return notebook


def normal_notebook(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same without what a page has no use for: all metadata but the language, files by name, identifiers.

    Args:
        notebook: what :func:`read_notebook` returned.
    """
    info = notebook["metadata"].get("language_info")
    info = info if isinstance(info, dict) else {}
    lexer = str(info.get("pygments_lexer") or info.get("name") or "python")
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": lexer if _NAME.fullmatch(lexer) else "text"}},
        "cells": [_cell(number, cell) for number, cell in enumerate(notebook["cells"]) if cell["cell_type"] != "raw"],
    }


def _cell(number: int, cell: dict[str, Any]) -> dict[str, Any]:
    normal: dict[str, Any] = {"cell_type": cell["cell_type"], "id": f"cell-{number}", "metadata": {}}
    if cell["cell_type"] == "code":
        kept = {key: cell[key] for key in ("source", "outputs", "execution_count")}
        return {**normal, **kept}
    attachments = _attachments(cell.get("attachments"))
    return {**normal, "source": _with_known(cell["source"], attachments), "attachments": attachments}


def _attachments(given: Any) -> dict[str, dict[str, str]]:
    """Pictures that are attached, by name: base64 and nothing else."""
    found = {}
    for name, bundle in given.items() if isinstance(given, dict) else ():
        kinds = bundle if isinstance(bundle, dict) else {}
        pictures = {kind: _text(kinds[kind]) for kind in _PICTURES if kind in kinds and _is_base64(kinds[kind])}
        if pictures:
            found[name] = pictures
    return found


def _with_known(source: str, attachments: dict[str, Any]) -> str:
    """Markdown whose attachments are all there; nbconvert makes no page where one is missing."""
    return _ATTACHMENT.sub(lambda found: found[0] if found[1] in attachments else "missing-attachment", source)


def _outputs(saved: Any) -> Iterator[dict[str, Any]]:
    for output in saved if isinstance(saved, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            yield {"output_type": kind, "name": name, "text": _text(output.get("text"))}
        elif kind == "error":
            yield {"output_type": kind, "ename": "", "evalue": "", "traceback": _traceback(output)}
        elif kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
            data = {str(mime): _data(str(mime), value) for mime, value in output["data"].items()}
            yield {
                "output_type": kind,
                "data": {mime: value for mime, value in data.items() if value is not None},
                "metadata": {mime: _size(output.get("metadata"), mime) for mime in _PICTURES},
            }


def _traceback(output: dict[str, Any]) -> list[str]:
    lines = output.get("traceback")
    if isinstance(lines, list) and lines:
        return [str(line) for line in lines]
    return [f"{output.get('ename')}: {output.get('evalue')}"]


def _data(mime: str, value: Any) -> str | None:
    """An output's value; None for a picture that is no picture."""
    if mime in _PICTURES and not _is_base64(value):
        return None
    if mime == "text/markdown":
        return _with_known(_text(value), {})
    return _text(value)


def _size(metadata: Any, mime: str) -> dict[str, int]:
    """Width and height of a picture, in pixels."""
    metadata = metadata if isinstance(metadata, dict) else {}
    sizes = metadata.get(mime) if isinstance(metadata.get(mime), dict) else metadata
    return {name: sizes[name] for name in ("width", "height") if type(sizes.get(name)) is int}


def _is_base64(value: Any) -> bool:
    return _BASE64.fullmatch(_text(value)) is not None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else ""
