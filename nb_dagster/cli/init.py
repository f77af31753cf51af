"""``nb-dagster init``: a project that runs at once."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from nb_dagster.cli.exit_codes import USAGE

_TEMPLATE = Path(__file__).parent / "templates" / "project"


@click.command(short_help="Make a project that runs at once.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a project in DIR: notebooks, Dagster definitions, and a workspace that loads them.

    \b
    Example:
      nb-dagster init my_project
      cd my_project && nb-dagster run welcome
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        click.echo(f"nb-dagster: {folder} exists and is not empty; name a new folder", err=True)
        sys.exit(USAGE)
    from nb_dagster.definitions.names import dagster_name  # brings Dagster

    name = dagster_name(folder.absolute().name)
    try:
        shutil.copytree(_TEMPLATE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    except (OSError, shutil.Error) as error:
        click.echo(f"nb-dagster: {folder} cannot be made ({error})", err=True)
        sys.exit(USAGE)
    (folder / "gitignore").rename(folder / ".gitignore")
    for path in (folder / "README.md", folder / "workspace.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("my_project", name), encoding="utf-8")
    click.echo(
        f"{folder} is ready:\n"
        f"  cd {shlex.quote(str(folder))}\n"
        "  nb-dagster run notebooks/welcome.ipynb -p who=you    run one notebook\n"
        "  DAGSTER_HOME=$PWD/.nb_dagster dagster dev            open Dagster's UI on http://127.0.0.1:3000"
    )
