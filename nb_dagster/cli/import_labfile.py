"""``nb-dagster import-labfile``: a project of LabFunctions or NB Workflows taken over."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb_dagster.cli.new_files import write_new
from nb_dagster.cli.refusals import refusals

if TYPE_CHECKING:
    from nb_dagster.project.labfile.importing import Imported

_HEAD = "# Made by nb-dagster import-labfile.\n"


@click.command(short_help="Take a project of LabFunctions or NB Workflows over.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--output", type=click.Path(path_type=Path), help="The project file; by default nb_dagster.yaml beside FILE."
)
@click.option("--force", is_flag=True, help="Write it over one that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each key as one JSON object.")
def import_labfile(file: Path, *, output: Path | None, force: bool, as_json: bool) -> None:
    """Make an nb_dagster.yaml of a labfile.yaml (LabFunctions 0.8 to 0.10) or a workflows.yaml or .toml (NB Workflows).

    Each key is taken over, or there is a line that says why not, and what to do. Notebooks stay as and where they are;
    texts for parameters are read by the types that their notebooks declare. A runtimes.yaml beside FILE is taken over too.

    \b
    Example:
      nb-dagster import-labfile labfile.yaml
      nb-dagster check
    """
    from nb_dagster.notebook.plain_yaml import dump_yaml
    from nb_dagster.project.labfile.importing import import_labfile as imported_from

    output = output or file.with_name("nb_dagster.yaml")
    with refusals():
        imported = imported_from(file, output.parent)
        write_new(output, _HEAD + dump_yaml(imported.project), force=force)
    if as_json:
        click.echo(json.dumps(_as_json(imported, output), ensure_ascii=False))
    else:
        _print(imported, output)


def _as_json(imported: Imported, output: Path) -> dict[str, object]:
    from nb_dagster.project.problems import dotted

    keys = [
        {
            "file": source.file,
            "key": dotted(line.key),
            "found": line.found,
            "became": line.became or None,
            "advice": line.advice or None,
        }
        for source, line in imported.lines
    ]
    return {"output": str(output), "workflows": [*imported.project["workflows"]], "keys": keys}


def _print(imported: Imported, output: Path) -> None:
    from nb_dagster.notebook.types import describe

    alike: dict[tuple[object, str], list[str]] = {}
    for source, line in imported.lines:
        if line.advice:
            found = "" if line.found is None else f"{describe(line.found)}: "
            place = str(source.problem(line.key, f"{found}{line.advice}", "warning"))
            alike.setdefault((line.key[-1], line.advice), []).append(place)
    for places in alike.values():
        click.echo(places[0] + _more(places[1:]))
    workflows = ", ".join(imported.project["workflows"])
    click.echo(
        f"{output}: {len(imported.project['workflows'])} workflows ({workflows}), {len(alike)} lines to read above"
    )


def _more(places: Iterable[str]) -> str:
    count = len(list(places))
    return f" (and {count} more such keys)" if count else ""
