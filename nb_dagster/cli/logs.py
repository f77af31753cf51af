"""``nb-dagster logs``: what a run says, also while it goes on."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.refusals import refusals


@click.command(short_help="Show what a run says.")
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print each piece as one JSON object on a line of its own.")
def logs(run: str, *, follow: bool, as_json: bool) -> NoReturn:
    """Show the log of a run: its cells as they start and end, and what they print.

    RUN is a run's id or its beginning, or a workflow, which means its latest run. What a notebook prints is on standard
    output, what Dagster says on standard error; with --json all of it is on standard output.

    \b
    Example:
      nb-dagster logs 1a2b3c4d --follow
    """
    from nb_dagster.cli.log_screen import log_screen
    from nb_dagster.cli.stored_log import StoredLog
    from nb_dagster.definitions.instance import open_history
    from nb_dagster.runs.finding import find_run

    with refusals(), open_history() as instance:
        log = StoredLog(instance, find_run(instance, run).run_id)
        show = log_screen(as_json=as_json)
        try:
            for piece in log.follow() if follow else log.read():
                show(piece)
        except BrokenPipeError:  # somebody has read enough: | head
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(SUCCEEDED)
