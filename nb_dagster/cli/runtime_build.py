"""``nb-dagster runtime build``: an image from a runtime and the code of a commit."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, SUCCEEDED
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    from nb_dagster.runtimes.build import Built
    from nb_dagster.runtimes.checkout import Checkout


@click.command(short_help="Build its image.")
@click.argument("name")
@click.option("--ref", metavar="REF", help="The code of this commit, tag or branch.  [default: HEAD]")
@click.option("--stash", "is_stash", is_flag=True, help="The code of HEAD with the changes since, of files git knows.")
@click.option("--working-tree", "is_tree", is_flag=True, help="The folder as it is, without what git ignores.")
@click.option("--push", "is_pushed", is_flag=True, help="Push it to the runtime's registry, as docker login allows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def build(name: str, *, ref: str | None, is_stash: bool, is_tree: bool, is_pushed: bool, as_json: bool) -> NoReturn:
    """Build the image of the runtime NAME, with the code of a commit and as the nb_dagster.yaml of that commit has it.

    Files that are named like secrets are left out. What is there already is not built again.

    \b
    Example:
      nb-dagster runtime build train
      nb-dagster runtime build train --ref v1.2 --push
      nb-dagster runtime build train --working-tree
    """
    from nb_dagster.runtimes.build import BuildFailed

    with refusals():
        if (ref is not None) + is_stash + is_tree > 1:
            raise RunRefused("--ref, --stash and --working-tree are three kinds of code; name one of them")
        try:
            built = _built(name, ref, is_pushed=is_pushed, is_stash=is_stash, is_tree=is_tree)
        except BuildFailed as failed:
            if as_json:
                click.echo(json.dumps({"built": False, "error": str(failed), "step": failed.step, "log": failed.lines}))
            click.echo(f"nb-dagster: the runtime {name!r} was not built: {failed}", err=True)
            sys.exit(INFRASTRUCTURE)
    if as_json:
        what = {"built": built.is_new, **built.image.to_json(), "pushed": is_pushed, "left_out": built.left_out}
        click.echo(json.dumps(what))
    else:
        click.echo(f"{built.image.tag}{'' if built.is_new else ' was built already'}")
    sys.exit(SUCCEEDED)


def _built(name: str, ref: str | None, *, is_pushed: bool, is_stash: bool, is_tree: bool) -> Built:
    from nb_dagster.project.runtimes import ProjectRuntimes
    from nb_dagster.runtimes.build import build as build_image
    from nb_dagster.runtimes.push import push

    with _checkout(ref, is_stash=is_stash, is_tree=is_tree) as checkout:
        found = ProjectRuntimes.read(checkout.folder, home=Path(), words=checkout.words)
        runtime = found.find(name)
        if is_pushed and runtime.registry is None:
            raise RunRefused(f"--push needs a registry: in the runtime {name!r}, such as registry.example.com/team")
        with _shown() as show:
            built = build_image(found.project, name, runtime, checkout, show)
            for each in built.left_out:
                click.echo(
                    f"left out, as it is named like a secret: {each} (!{each} in .dockerignore has it in)", err=True
                )
            if is_pushed:
                push(built.image.tag, show)
    return built


@contextlib.contextmanager
def _checkout(ref: str | None, *, is_stash: bool, is_tree: bool) -> Iterator[Checkout]:
    from nb_dagster.runtimes import checkout

    here = Path()
    if is_tree:
        with checkout.working_tree(here) as found:
            yield found
    elif is_stash:
        with checkout.stash(here) as found:
            yield found
    else:
        with checkout.commit(here, ref or "HEAD") as found:
            if ref is None and checkout.has_changes(here):
                click.echo(
                    f"building {found.words}, without what has changed since; --stash and --working-tree have it",
                    err=True,
                )
            yield found


@contextlib.contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """What takes the engine's lines: on a terminal with the step that it is at below them."""
    if not sys.stderr.isatty():
        yield lambda line: click.echo(line, err=True)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status("building") as status:

        def show(line: str) -> None:
            console.print(line, markup=False, highlight=False, style="bold" if line.startswith("Step ") else "dim")
            if line.startswith("Step "):
                status.update(Text(line))

        yield show
