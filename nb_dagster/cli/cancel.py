"""``nb-dagster cancel``: stop a run, wherever it was started."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, SUCCEEDED
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    import dagster as dg

_LOOK_EVERY = 0.1


@click.command(short_help="Stop a run.")
@click.argument("run", metavar="RUN")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for its end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as one JSON object.")
def cancel(run: str, *, wait: float, as_json: bool) -> NoReturn:
    """Stop a run, and wait until it has ended: its kernels are gone, its notebooks are kept.

    RUN is a run's id or its beginning, or a workflow, which means its latest run. The run may be one of the web UI, of
    a schedule, or of nb-dagster run on this machine.

    \b
    Example:
      nb-dagster cancel 1a2b3c4d

    \b
    Exit codes:
      0  it has ended, by this or by itself
      2  there is no such run, it ended before, or it is out of reach
      5  it has not ended in time
    """
    from nb_dagster.definitions.instance import open_history
    from nb_dagster.runs.finding import find_run

    with refusals(), open_history() as instance:
        found = find_run(instance, run)
        _stop(instance, found)
        status = _await_end(instance, found.run_id, wait)
    if status is None:
        click.echo(f"nb-dagster: run {found.run_id} was told to stop, and has not ended after {wait:g} s", err=True)
        sys.exit(INFRASTRUCTURE)
    if as_json:
        click.echo(json.dumps({"run_id": found.run_id, "status": status}))
    else:
        click.echo(f"run {found.run_id}: {status}")
    sys.exit(SUCCEEDED)


def _stop(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tell a run to stop.

    Raises:
        RunRefused: it has ended, or nobody here can reach it.
    """
    from nb_dagster.definitions.stopping import stop_run

    if run.is_finished:
        raise RunRefused(f"run {run.run_id} has ended already: {in_words(run)}")
    stop_run(instance, run)


def _await_end(instance: dg.DagsterInstance, run_id: str, seconds: float) -> str | None:
    """How a run has ended; None where it has not in time."""
    until = time.monotonic() + seconds
    while True:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return in_words(run) if run else "deleted"
        if time.monotonic() > until:
            return None
        time.sleep(_LOOK_EVERY)


def in_words(run: dg.DagsterRun) -> str:
    """A run's status as this command line says it."""
    words = {"SUCCESS": "succeeded", "FAILURE": "failed", "CANCELED": "cancelled"}
    return words.get(run.status.value, run.status.value.lower().replace("_", " "))
