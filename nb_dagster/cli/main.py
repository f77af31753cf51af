"""``nb-dagster``: the group of commands."""

from __future__ import annotations

import sys
from typing import Any

import click

from nb_dagster.cli.cancel import cancel
from nb_dagster.cli.check import check
from nb_dagster.cli.dev import dev
from nb_dagster.cli.download import download
from nb_dagster.cli.exit_codes import CANCELLED
from nb_dagster.cli.export import export
from nb_dagster.cli.history import history
from nb_dagster.cli.import_labfile import import_labfile
from nb_dagster.cli.init import init
from nb_dagster.cli.lab import lab
from nb_dagster.cli.launch import launch
from nb_dagster.cli.logs import logs
from nb_dagster.cli.notify_test import notify_test
from nb_dagster.cli.run import run
from nb_dagster.cli.runtime import runtime
from nb_dagster.cli.schedule import schedule
from nb_dagster.cli.serve import serve
from nb_dagster.cli.show import show
from nb_dagster.cli.warm import warm
from nb_dagster.version import __version__


class Commands(click.Group):
    """A Ctrl-C ends any of them with the code that says so."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(CANCELLED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nb-dagster", message="%(prog)s %(version)s")
def main() -> None:
    """Jupyter notebooks in production on Dagster.

    \b
    nb-dagster init my_project            a project that runs at once
    nb-dagster run report.ipynb -p n=3    run a notebook now, here
    nb-dagster check                      find what is wrong with a project, before it runs
    nb-dagster launch report -p n=3       the same on a running Dagster
    nb-dagster history report             what has run
    nb-dagster show 1a2b3c4d              all that is known of a run
    nb-dagster download 1a2b3c4d          fetch its notebooks and files
    nb-dagster logs 1a2b3c4d --follow     see what a run says, as it goes on
    nb-dagster cancel 1a2b3c4d            stop it, wherever it was started
    nb-dagster schedule list              list, pause and resume schedules
    nb-dagster runtime build train        build the image that notebooks run in
    nb-dagster lab report                 open a workflow, or a failed run, in JupyterLab
    nb-dagster dev                        open Dagster's UI, and the pages of notebooks
    nb-dagster export report.ipynb        write the page of a notebook, safe to open
    nb-dagster import-labfile FILE        take a project of LabFunctions over
    nb-dagster notify-test env:SLACK_URL  see whether notifications arrive
    nb-dagster warm report.ipynb          have its kernel ready, for all runs to come
    """


main.add_command(cancel)
main.add_command(check)
main.add_command(dev)
main.add_command(download)
main.add_command(export)
main.add_command(history)
main.add_command(import_labfile)
main.add_command(init)
main.add_command(lab)
main.add_command(launch)
main.add_command(logs)
main.add_command(notify_test)
main.add_command(run)
main.add_command(runtime)
main.add_command(schedule)
main.add_command(serve)
main.add_command(show)
main.add_command(warm)
