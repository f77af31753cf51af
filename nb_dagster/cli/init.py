"""``nb-dagster init``: a project that runs at once, or one of the notebooks there are."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nb_dagster.cli.new_files import write_new
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    from nb_dagster.project.scaffold import Found, Scaffold

_TEMPLATE = Path(__file__).parent / "templates" / "project"


@click.command(short_help="Make a project that runs at once, or one of notebooks.")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as one JSON object.")
def init(folder: Path, *, as_json: bool) -> None:
    """Make a project in DIR, by default here.

    In a new or empty folder: a notebook, Dagster definitions, and a workspace that loads them. In a folder with
    notebooks: an nb_dagster.yaml with a workflow for each, and their parameters, outputs and checks as hints. The
    notebooks stay as they are, and no file is ever written over.

    \b
    Example:
      nb-dagster init my_project
      cd my_project && nb-dagster run welcome
    """
    with refusals():
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            _copy_template(folder)
            made: dict[str, Any] = {"folder": str(folder), "workflows": []}
            text = _of_template(folder)
        else:
            scaffold = _of_notebooks(folder)
            made, text = _as_json(scaffold), _in_words(scaffold)
    click.echo(json.dumps(made, ensure_ascii=False, default=str) if as_json else text)


def _copy_template(folder: Path) -> None:
    from nb_dagster.definitions.names import dagster_name  # brings Dagster

    name = dagster_name(folder.absolute().name)
    try:
        shutil.copytree(_TEMPLATE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    except (OSError, shutil.Error) as error:
        raise RunRefused(f"{folder} cannot be made ({error})") from None
    (folder / "gitignore").rename(folder / ".gitignore")
    for path in (folder / "README.md", folder / "workspace.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("my_project", name), encoding="utf-8")


def _of_template(folder: Path) -> str:
    return (
        f"{folder} is ready:\n"
        f"  cd {shlex.quote(str(folder))}\n"
        "  nb-dagster run notebooks/welcome.ipynb -p who=you    run one notebook\n"
        "  nb-dagster dev                                       open Dagster's UI on http://127.0.0.1:3000"
    )


def _of_notebooks(folder: Path) -> Scaffold:
    """Write the project file of the notebooks in a folder.

    Raises:
        RunRefused: there are none, or there is a project file.
    """
    from nb_dagster.project.project import FILE
    from nb_dagster.project.scaffold import Scaffold

    if not folder.is_dir():
        raise RunRefused(f"{folder} exists and is no folder; name a new one")
    if (folder / FILE).exists():
        raise RunRefused(f"{folder / FILE} exists already; nb-dagster check says what is in it")
    scaffold = Scaffold.of(folder)
    if not scaffold.found:
        raise RunRefused(f"{folder} exists and is not empty, and has no notebooks; name a new folder")
    write_new(folder / FILE, scaffold.text)
    return scaffold


def _as_json(scaffold: Scaffold) -> dict[str, Any]:
    return {
        "folder": str(scaffold.folder),
        "workflows": [_workflow_as_json(each) for each in scaffold.found],
        "left_out": scaffold.left_out,
    }


def _workflow_as_json(found: Found) -> dict[str, Any]:
    from nb_dagster.notebook.parameters import NO_DEFAULT

    parameters = [
        {
            "name": each.name,
            "type": str(each.type),
            "required": each.required,
            "default": None if each.default is NO_DEFAULT else each.default,
            "description": each.description,
        }
        for each in found.document.parameters.values()
    ]
    has_cell = found.document.parameters_cell is not None
    return {
        "name": found.name,
        "notebook": found.document.path,
        "has_parameters_cell": has_cell,
        "parameters": parameters,
        "outs": found.outs,
        "checks": found.checks,
    }


def _in_words(scaffold: Scaffold) -> str:
    names = [each.name for each in scaffold.found]
    lines = [f"{scaffold.folder / 'nb_dagster.yaml'} is ready, with {len(names)} workflows: {', '.join(names)}"]
    if without := [each.document.path for each in scaffold.found if each.document.parameters_cell is None]:
        lines.append(
            f"no parameters cell: {', '.join(without)}\n"
            "  they run as they are; to give one values, put its variables into one cell and tag that cell 'parameters'"
        )
    lines += [f"left out: {reason}" for reason in scaffold.left_out]
    lines += [
        f"  nb-dagster check {shlex.quote(str(scaffold.folder))}    see what is wrong with it",
        f"  nb-dagster run {names[0]}    run one notebook, from that folder",
    ]
    return "\n".join(lines)
