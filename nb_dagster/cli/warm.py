"""``nb-dagster warm``: kernels ready for processes to come."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, USAGE
from nb_dagster.errors import RunRefused


@click.command(short_help="Have kernels ready, for all runs to come.")
@click.argument("notebooks", metavar="[NOTEBOOK]...", nargs=-1)
@click.option("--preload", metavar="MODULE,...", help="Modules to import, instead of those that the notebooks ask for.")
@click.option("--kernel", help="An installed kernel's name, instead of the notebooks' own.")
@click.option("--idle", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, metavar="MINUTES",
              help="It ends after this time without a kernel.")  # fmt: skip
@click.option("--stop", is_flag=True, help="End those there are, each when its last kernel has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print what is warm as one JSON list on standard output.")
def warm(
    notebooks: tuple[str, ...], *, preload: str | None, kernel: str | None, idle: float, stop: bool, as_json: bool
) -> NoReturn:
    """Start a fork server for each kind of NOTEBOOK, from which any process of yours gets its kernels.

    A kernel that is forked is ready at once, with its modules imported. Without NOTEBOOK and without --preload it tells
    what is warm. After an install or an upgrade of a module, warm again; until then its kernels are started as ever.

    \b
    Example:
      nb-dagster warm notebooks/*.ipynb
      nb-dagster warm --preload numpy,pandas
      nb-dagster warm --stop
    """
    from nb_dagster.kernel import warm as servers
    from nb_dagster.kernel.fork_client import ForkFailed

    if sys.platform != "linux":
        click.echo("nb-dagster: kernels are forked on Linux only; elsewhere there is nothing to warm", err=True)
        sys.exit(USAGE)
    if stop:
        count = servers.stop_all()
        click.echo(f"{count} told to end" if count else "nothing was warm", err=as_json)
    try:
        for python, modules in _kinds(notebooks, preload, kernel):
            servers.start(python, modules, idle * 60)
    except RunRefused as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)
    except (ForkFailed, OSError) as failed:
        click.echo(f"nb-dagster: {failed}", err=True)
        sys.exit(INFRASTRUCTURE)
    found: list[dict[str, Any]] = [
        {"python": each.python, "preload": list(each.preload), "pid": each.server.pid} for each in servers.all_servers()
    ]
    if as_json:
        click.echo(json.dumps(found))
    elif not stop:
        for each in found:
            click.echo(f"warm: {each['python']} with {', '.join(each['preload']) or 'no modules'} (pid {each['pid']})")
        if not found:
            click.echo("nothing is warm")
    sys.exit(0)


def _kinds(notebooks: tuple[str, ...], preload: str | None, kernel: str | None) -> list[tuple[str, tuple[str, ...]]]:
    """Interpreter and modules of each server that is wanted."""
    from nb_dagster.kernel.specs import check_preload, find_kernel, forkable_python
    from nb_dagster.notebook.document import NotebookDocument

    documents = [NotebookDocument.read(path) for path in notebooks]
    given = None if preload is None else check_preload([each for each in preload.split(",") if each], "--preload")
    wanted = [(each.path, kernel or each.kernel, each.preload if given is None else given) for each in documents]
    if given is not None and not documents:
        wanted = [("--kernel", kernel or "python3", given)]
    kinds = []
    for owner, name, modules in wanted:
        python = forkable_python(find_kernel(name, owner))
        if python is None:
            raise RunRefused(f"{owner}: the kernel {name!r} is no ipykernel, and only those can be forked")
        kinds.append((python, modules))
    return list(dict.fromkeys(kinds))
