"""``nb-dagster dev``: Dagster's UI on this folder, and the pages of its notebooks beside it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click

from nb_dagster.cli.refusals import usage_errors
from nb_dagster.cli.workspace import PROJECT, WORKSPACE
from nb_dagster.errors import RunRefused

_PORT = click.IntRange(1, 65535)


@click.command(short_help="Open Dagster's UI, with the pages of notebooks.")
@click.option("-w", "--workspace", type=click.Path(path_type=Path), default=WORKSPACE, show_default=True)
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Dagster's UI.")
@click.option("--pages-port", type=_PORT, default=3030, show_default=True, help="The pages.")
@click.option(
    "--store", metavar="DIR_OR_URL", help="Where executed notebooks are kept.  [default: .nb_dagster/notebooks]"
)
def dev(*, workspace: Path, port: int, pages_port: int, store: str | None) -> NoReturn:
    """Start `dagster dev` and, beside it, the server of pages that its links lead to. Both end together.

    The history is in $DAGSTER_HOME where it is set, else in .nb_dagster under this folder.

    \b
    Example:
      nb-dagster dev
      nb-dagster dev -w workspace.yaml --port 3001 --pages-port 3031
    """
    with usage_errors():
        _check(workspace, port, pages_port)
    from nb_dagster.definitions.instance import use_default_home

    use_default_home()
    os.environ.setdefault("NB_DAGSTER_PAGES", f"http://127.0.0.1:{pages_port}")
    sys.stdout.flush()
    _start_pages(pages_port, store)
    source = ["-w", str(workspace)] if workspace.is_file() else ["-m", "nb_dagster.project.here"]
    arguments = ["dev", *source, "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "dagster", *arguments])  # noqa: S606 - our own interpreter, no shell


def _start_pages(port: int, store: str | None) -> None:
    """The server of pages, which ends with this process and whatever it becomes: its standard input then ends."""
    arguments = ["serve", "--port", str(port), "--with-stdin", *(["--store", store] if store else [])]
    read, write = os.pipe()
    subprocess.Popen([sys.executable, "-m", "nb_dagster.cli", *arguments], stdin=read)
    os.close(read)
    os.set_inheritable(write, True)  # kept open by dagster dev, and by none of its children


def _check(workspace: Path, port: int, pages_port: int) -> None:
    """Refuse what would fail later, half started.

    Raises:
        RunRefused: the web server is not installed, there is no workspace, or a port is taken.
    """
    if importlib.util.find_spec("dagster_webserver") is None:
        raise RunRefused("dev needs dagster-webserver: pip install 'nb_dagster[ui]'")
    if not workspace.is_file() and (workspace != WORKSPACE or not PROJECT.is_file()):
        raise RunRefused(f"there is no {workspace} in this folder; nb-dagster init makes a project that has one")
    from nb_dagster.pages.server import listen

    for each in (port, pages_port):
        listen("127.0.0.1", each).close()
