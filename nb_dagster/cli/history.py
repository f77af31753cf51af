"""``nb-dagster history``: what has run."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.moments import clock, read_moment, span
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused
from nb_dagster.runs.past_run import STATUSES, RunStatus

if TYPE_CHECKING:
    from nb_dagster.runs.history import History
    from nb_dagster.runs.past_run import PastRun


@click.command(short_help="Show what has run.")
@click.argument("workflow", required=False)
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many at most."
)
@click.option(
    "--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only those; may be given again."
)
@click.option(
    "--since",
    type=read_moment,
    metavar="WHEN",
    help="Only those made since: 2026-01-31, or how long ago: 45m, 36h, 7d.",
)
@click.option("--until", type=read_moment, metavar="WHEN", help="As of then: only those made until.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as one JSON list on standard output.")
def history(
    workflow: str | None,
    *,
    last: int,
    statuses: tuple[RunStatus, ...],
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> NoReturn:
    """Show the last runs, of one WORKFLOW or of all, newest first.

    WORKFLOW is a notebook asset, a notebook in a job, or a job. Of a run with other notebooks too, only its own part is told.

    \b
    Example:
      nb-dagster history
      nb-dagster history train --last 5 --status failed --status timed_out
      nb-dagster history train --last 1 --status succeeded --until 2026-01-31
    """
    from nb_dagster.runs import history as runs

    with refusals(), runs.history() as asked:
        found = asked.runs(workflow, last=last, statuses=statuses, since=since, until=until)
        if workflow is not None and not found:
            _check_has_run(asked, workflow)
    if as_json:
        click.echo(json.dumps([run.to_json() for run in found], ensure_ascii=False))
    elif found:
        _show(found)
    else:
        click.echo("no such runs", err=True)
    sys.exit(SUCCEEDED)


def _check_has_run(asked: History, workflow: str) -> None:
    """Tell a name that nothing has from a question that nothing answers.

    Raises:
        RunRefused: no run is of that workflow.
    """
    if asked.latest(workflow) is None:
        raise RunRefused(f"the history in {asked.place} has no run of {workflow!r}")


def _show(found: list[PastRun]) -> None:
    from nb_dagster.cli.tables import in_short, shorten, show_table

    rows = [
        (
            run.run_id[:8],
            ", ".join(run.workflows) or run.job if run.job.startswith("__") else run.job,
            run.status,
            clock(run.started),
            span(run.duration_s),
            in_short(run.parameters),
            shorten(run.reason),
        )
        for run in found
    ]
    show_table(("run", "job", "status", "started", "duration", "parameters", "reason"), rows)
