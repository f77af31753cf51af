"""The page of a notebook, in two forms: live, for a server that sandboxes it, and static, for a file that anybody opens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from nb_dagster.pages.convert import convert
from nb_dagster.pages.header import header_of

STATIC_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of a page without scripts; it is in the file too."""

Links = Sequence[tuple[str, str]]
"""Texts and addresses."""


def static_page(notebook: dict[str, Any], name: str, *, code: bool = True, links: Links = (), files: Links = ()) -> str:
    """A page without scripts, of HTML that was cleaned; it loads nothing from anywhere.

    Args:
        notebook: what ``read_notebook`` returned.
        name: the notebook's name.
        code: whether the code is shown.
        links: links above the notebook.
        files: links to the run's files.

    Raises:
        UnreadableNotebook: nbconvert can make nothing of it.
    """
    cells = convert(notebook, code=code, scripts=False)
    run = header_of(name, notebook["metadata"].get("nb_dagster"))
    return render("static.html", csp=STATIC_POLICY, title=run.title, run=run, cells=cells, links=links, files=files)


def live_page(notebook: dict[str, Any], name: str, *, code: bool = True, links: Links = (), files: Links = ()) -> str:
    """A page with the outputs' own scripts, in a frame without an origin that cannot leave for any other page.

    It is for a server that sends it with ``Content-Security-Policy: sandbox``: what a script may load is decided there.
    """
    cells = convert(notebook, code=code, scripts=True)
    run = header_of(name, notebook["metadata"].get("nb_dagster"))
    return render(
        "live.html", title=run.title, run=run, frame=render("frame.html", cells=cells), links=links, files=files
    )


def render(template: str, **values: Any) -> str:
    """A page of ours; every value in it is escaped but the cells."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.ChainableUndefined)
