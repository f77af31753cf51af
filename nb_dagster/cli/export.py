"""``nb-dagster export``: the page of a notebook as a file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, USAGE
from nb_dagster.errors import RunRefused


@click.command(short_help="Write the page of a notebook.")
@click.argument("notebook", metavar="NOTEBOOK")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The file; by default NOTEBOOK's name with .html, here."
)
@click.option("--hide-code", is_flag=True, help="Show only texts and outputs.")
@click.option("--json", "as_json", is_flag=True, help="Print the file's path as one JSON object on standard output.")
def export(notebook: str, *, output: Path | None, hide_code: bool, as_json: bool) -> NoReturn:
    """Write the page of a notebook, executed or not: one HTML file, safe to open and to send.

    It has text, tables and pictures, no scripts, and loads nothing from anywhere. It is never written over a file.

    \b
    Example:
      nb-dagster export .nb_dagster/notebooks/train/2026-01-31T020000Z-1a2b3c4d-1/train.ipynb --hide-code
    """
    name = notebook.rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    output = output or Path(f"{name}.html")
    try:
        page = page_of(notebook, name, code=not hide_code)
        _write(output, page)
    except RunRefused as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)
    except OSError as error:
        click.echo(f"nb-dagster: {output} cannot be written ({error.strerror or error})", err=True)
        sys.exit(INFRASTRUCTURE)
    click.echo(json.dumps({"page": str(output)}) if as_json else f"{output}")
    sys.exit(0)


def page_of(notebook: str, name: str, *, code: bool) -> str:
    """The page of a notebook.

    Args:
        notebook: its path or URL.
        name: its title.
        code: whether the code is shown.

    Raises:
        RunRefused: it cannot be read, or what makes pages is not installed.
    """
    from nb_dagster.notebook.formats import read_bytes

    try:
        from nb_dagster.pages.normal import read_notebook
        from nb_dagster.pages.page import static_page
    except ImportError as missing:
        raise RunRefused(f"pages need {missing.name}: pip install 'nb_dagster[ui]'") from None
    return static_page(read_notebook(notebook, read_bytes(notebook)), name, code=code)


def _write(output: Path, page: str) -> None:
    """The file whole or not at all, and never over another."""
    if output.exists():
        raise RunRefused(f"{output} exists already, and is not written over; name another --output")
    if not output.absolute().parent.is_dir():
        raise RunRefused(f"--output {output}: there is no folder {output.absolute().parent}")
    with tempfile.TemporaryDirectory(prefix=".nb-dagster-", dir=output.absolute().parent) as folder:
        whole = Path(folder) / output.name
        whole.write_text(page, encoding="utf-8")
        os.link(whole, output)
