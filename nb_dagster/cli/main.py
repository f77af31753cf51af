"""``nb-dagster``: the group of commands."""

from __future__ import annotations

import click

from nb_dagster.cli.init import init
from nb_dagster.cli.run import run
from nb_dagster.cli.warm import warm
from nb_dagster.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nb-dagster", message="%(prog)s %(version)s")
def main() -> None:
    """Jupyter notebooks in production on Dagster.

    \b
    nb-dagster init my_project            a project that runs at once
    nb-dagster run report.ipynb -p n=3    run a notebook now, here
    nb-dagster warm report.ipynb          have its kernel ready, for all runs to come
    """


main.add_command(init)
main.add_command(run)
main.add_command(warm)
