"""The page of an executed notebook as a file that goes with a message."""

from __future__ import annotations

import os
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.notebook.formats import read_bytes
from nb_dagster.notifications.ends import End
from nb_dagster.notifications.message import Page

MAX_PAGES = 3
"""Pages that go with one message."""
MAX_NOTEBOOK, MAX_PAGE = 20_000_000, 5_000_000
"""Bytes of a notebook of which a page is made, and of a page that is attached: mail servers take little more."""


def page_of(end: End) -> Page | str:
    """The page of a notebook that ended; or, in words, why there is none."""
    if end.notebook is None:
        return f"{end.workflow}: there is no notebook of it that can be read here"
    try:
        return page_at(end.notebook)
    except RunRefused as refused:
        return f"{end.workflow}: {refused}"


def page_at(path: str) -> Page:
    """The page of a notebook.

    Args:
        path: local path or URL.

    Raises:
        RunRefused: it cannot be read, or is too large for a message.
    """
    try:
        from nb_dagster.pages.normal import read_notebook
        from nb_dagster.pages.page import static_page
    except ImportError as missing:
        raise RunRefused(f"pages need {missing.name}: pip install 'nb_dagster[ui]'") from None
    name = os.path.basename(path).rsplit(".", 1)[0]
    _check_size("its notebook", _size(path), MAX_NOTEBOOK)
    content = static_page(read_notebook(path, read_bytes(path)), name).encode()
    _check_size("its page", len(content), MAX_PAGE)
    return Page(f"{name}.html", content)


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise RunRefused(f"{what} has {size / 1e6:.0f} MB, more than the {limit / 1e6:.0f} that are attached")


def _size(path: Any) -> int:
    try:
        if "://" not in path:
            return os.path.getsize(path)
        from upath import UPath

        return int(UPath(path).stat().st_size)
    except OSError as error:
        raise RunRefused(f"{path} cannot be read ({error.strerror or error})") from None
