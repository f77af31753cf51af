"""``nb-dagster runtime``: the images that notebooks run in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.refusals import refusals
from nb_dagster.cli.runtime_build import build

if TYPE_CHECKING:
    from nb_dagster.project.runtimes import ProjectRuntimes

_as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON on standard output.")


@click.group(short_help="Build the images that notebooks run in.")
def runtime() -> None:
    """Write Dockerfiles of the runtimes that nb_dagster.yaml declares, build images of them, list and remove these.

    \b
    Example:
      nb-dagster runtime generate train
      nb-dagster runtime build train
      nb-dagster runtime list
      nb-dagster runtime prune train --keep 2
    """


runtime.add_command(build)


@runtime.command(short_help="Write its Dockerfile.")
@click.argument("name")
@click.option("--output", type=click.Path(path_type=Path), default=".", help="The folder; by default this one.")
@_as_json
def generate(name: str, *, output: Path, as_json: bool) -> NoReturn:
    """Write Dockerfile.NAME of the runtime NAME, and a .dockerignore where there is none.

    `runtime build` needs neither; they are to be read, or for another builder. A Dockerfile that somebody else wrote is
    not written over.

    \b
    Example:
      nb-dagster runtime generate train
      docker build -f Dockerfile.train .
    """
    from nb_dagster.runtimes.dockerfile import dockerfile
    from nb_dagster.runtimes.generated import write_dockerfile

    with refusals():
        found = _project()
        text = dockerfile(name, found.find(name), found.folder)
        written = write_dockerfile(output, name, text)
    paths = [str(each) for each in written]
    click.echo(json.dumps({"runtime": name, "files": paths}) if as_json else "\n".join(paths))
    sys.exit(SUCCEEDED)


@runtime.command("list", short_help="Which images there are.")
@_as_json
def list_(*, as_json: bool) -> NoReturn:
    """List the images of this project's runtimes that the Docker engine has, the last first.

    \b
    Example:
      nb-dagster runtime list
    """
    from nb_dagster.cli.tables import show_table
    from nb_dagster.runtimes.images import all_images

    with refusals():
        found = all_images(_project().project)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in found]))
    elif not found:
        click.echo("there are no images; nb-dagster runtime build NAME makes one", err=True)
    else:
        rows = [
            (
                each.runtime,
                each.tag,
                each.version,
                "yes" if each.is_dirty else "",
                each.created[:19],
                _megabytes(each.size),
            )
            for each in found
        ]
        show_table(("runtime", "image", "version", "dirty", "created", "size"), rows)
    sys.exit(SUCCEEDED)


@runtime.command("prune", short_help="Remove old images.")
@click.argument("name")
@click.option("--keep", type=click.IntRange(min=0), default=3, show_default=True, help="How many stay, the last ones.")
@_as_json
def prune_(name: str, *, keep: int, as_json: bool) -> NoReturn:
    """Remove the images of the runtime NAME but the last ones. What a container has stays.

    \b
    Example:
      nb-dagster runtime prune train --keep 2
    """
    from nb_dagster.runtimes.images import all_images, prune

    with refusals():
        found = _project()
        if not all_images(found.project, name):
            found.find(name)  # an unknown name is refused; images of a runtime that is declared no more are removed
        pruned = prune(found.project, name, keep)
    if as_json:
        what = {"removed": [each.tag for each in pruned.removed], "in_use": [each.tag for each in pruned.kept]}
        click.echo(json.dumps(what))
    else:
        lines = [f"removed {each.tag}" for each in pruned.removed]
        lines += [f"kept {each.tag}: a container has it" for each in pruned.kept]
        click.echo("\n".join(lines or ["nothing to remove"]))
    sys.exit(SUCCEEDED)


def _project() -> ProjectRuntimes:
    from nb_dagster.project.runtimes import ProjectRuntimes

    return ProjectRuntimes.read(Path(), home=Path())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
