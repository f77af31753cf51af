"""The copy of an executed notebook that Dagster's own viewer shows: made of what cannot act, the rest left out.

That viewer turns outputs into a page on the origin of Dagster's API without cleaning them, so an output's script could
launch jobs. The copy keeps text, pictures and cleaned HTML; the notebook itself stays as it is beside it.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from nb_dagster.runner.executed import write_whole

_SAFE_ID = re.compile(r"[^\w-]")
_BASE64 = re.compile(r"^[A-Za-z0-9+/=\s]*$")
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?:(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?/?>)?")
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_ACTS = re.compile(r"(?i)(java|vb)script:|data:text/html")
_ATTRIBUTES = {
    "*": {"class", "title"},
    "a": {"href"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_LEXER = re.compile(r"^\w[\w+-]*$")


def view_of(executed: str) -> str:
    """The path of a notebook's view; a remote notebook has none, and is its own."""
    if "://" in executed:
        return executed
    path = Path(executed)
    return str(path.with_name(f"{path.stem}.view.ipynb"))


def write_view(executed: str) -> None:
    """Write the view of an executed notebook beside it."""
    import json

    notebook = json.loads(Path(executed).read_text(encoding="utf-8"))
    write_whole(Path(view_of(executed)), json.dumps(safe_notebook(notebook), ensure_ascii=False))


def safe_notebook(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook with only what no browser runs.

    Args:
        notebook: nbformat 4.
    """
    language = notebook["metadata"].get("language_info") or {}
    lexer = str(language.get("pygments_lexer") or language.get("name") or "python")
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": lexer if _LEXER.match(lexer) else "text"}},
        "cells": [_safe_cell(cell) for cell in notebook["cells"] if cell["cell_type"] != "raw"],
    }


def _safe_cell(cell: dict[str, Any]) -> dict[str, Any]:
    safe = {
        "cell_type": cell["cell_type"],
        "id": _SAFE_ID.sub("", str(cell.get("id", "")))[:64] or "cell",
        "metadata": {},
    }
    if cell["cell_type"] == "markdown":
        return {**safe, "source": _safe_markdown(_text(cell["source"]))}
    outputs = [output for output in map(_safe_output, cell.get("outputs", [])) if output is not None]
    return {**safe, "source": cell["source"], "execution_count": cell.get("execution_count"), "outputs": outputs}


def _safe_output(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output["output_type"]
    if kind == "stream":
        return {
            "output_type": kind,
            "name": "stderr" if output["name"] == "stderr" else "stdout",
            "text": output["text"],
        }
    if kind == "error":
        return {key: output[key] for key in ("output_type", "ename", "evalue", "traceback")}
    data = _safe_data(output["data"])
    safe: dict[str, Any] = {"output_type": "display_data", "metadata": {}, "data": data}
    if kind == "execute_result":
        safe |= {"output_type": kind, "execution_count": output.get("execution_count")}
    return safe if data else None


def _safe_data(data: dict[str, Any]) -> dict[str, Any]:
    safe: dict[str, Any] = {}
    if "text/plain" in data:
        safe["text/plain"] = data["text/plain"]
    for kind in _PICTURES:
        if kind in data and _BASE64.match(_text(data[kind])):
            safe[kind] = data[kind]
    if "text/html" in data:
        safe["text/html"] = _clean(_text(data["text/html"]))
    if "text/markdown" in data:
        safe["text/markdown"] = _safe_markdown(_text(data["text/markdown"]))
    return safe


def _safe_markdown(text: str) -> str:
    """Markdown with bare harmless tags and no other HTML; where a link may act, all of it as it was written, as code."""
    safe = _TAG.sub(_bare_tag, text)
    if not _ACTS.search(_as_browsers_read(safe)):
        return safe
    return "\n".join(f"    {line}" for line in text.splitlines())


def _bare_tag(tag: re.Match[str]) -> str:
    """A tag without its attributes; one that may act, and a sign that starts none, as text: no tag starts with a space."""
    import nh3

    if (tag["name"] or "").lower() in nh3.ALLOWED_TAGS:
        return f"<{tag['end']}{tag['name'].lower()}>"
    return f"< {tag[0][1:]}"


def _as_browsers_read(text: str) -> str:
    """The text with what Markdown and browsers decode or pass over in a link: entities, escapes, white space."""
    while (decoded := html.unescape(text)) != text:
        text = decoded
    return re.sub(r"[\x00-\x20\\]", "", text)


def _clean(text: str) -> str:
    import nh3

    return nh3.clean(
        text, attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto"}, link_rel="noopener noreferrer"
    )


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
