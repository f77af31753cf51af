"""``nb-dagster launch``: a workflow on a running Dagster, which goes on when nobody waits for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.dagster_options import dagster_options
from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.refusals import refusals

if TYPE_CHECKING:
    from nb_dagster.runs.graphql import Dagster


@click.command(short_help="Launch a workflow on a running Dagster.")
@click.argument("workflow")
@click.option("-p", "--param", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@click.option("--params-file", type=click.Path(path_type=Path), help="Values as a JSON or YAML mapping; -p goes first.")
@click.option("--watch", is_flag=True, help="Show its log until it has ended, and end as it did.")
@click.option(
    "--idempotency-key", metavar="KEY", help="Names this launch: of all with one key only the first launches a run."
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as one JSON object on standard output.")
@dagster_options("http://127.0.0.1:3000")
def launch(
    workflow: str,
    *,
    assignments: tuple[str, ...],
    params_file: Path | None,
    watch: bool,
    idempotency_key: str | None,
    as_json: bool,
    url: str,
    token: str | None,
) -> NoReturn:
    """Launch WORKFLOW, a job or a notebook asset, on a running Dagster, over its GraphQL API.

    Parameters are read by their declared types, and checked before anything is launched. The run goes on when this command
    has ended; Ctrl-C ends only the watching.

    \b
    Example:
      nb-dagster launch train -p n=400
      nb-dagster launch train --watch --url https://dagster.example.com --token ...

    \b
    Exit codes:
      0  launched; with --watch as nb-dagster run: 1 failed, 3 timed out, 4 killed, 130 cancelled
      2  refused: no such workflow, a parameter that does not fit, a token that is not accepted
      5  no Dagster answers
    """
    from nb_dagster.cli.parameters import read_parameters
    from nb_dagster.notebook.parameters import check_parameters
    from nb_dagster.runs.graphql import Server
    from nb_dagster.runs.launch import launch as launch_on
    from nb_dagster.runs.launchable import find_launchable, find_parameters

    with refusals():
        dagster = Server(url, token)
        found = find_launchable(dagster, workflow)
        op, declared = find_parameters(dagster, found) if assignments or params_file else (None, {})
        values = read_parameters(declared, workflow, assignments, params_file)
        check_parameters(declared, values, workflow)
        run_id = launch_on(dagster, found, op, values, key=idempotency_key)
        if watch:
            sys.exit(_watch(dagster, run_id, as_json=as_json))
    said = {"run_id": run_id, "url": f"{dagster.name}/runs/{run_id}"}
    click.echo(json.dumps(said) if as_json else f"launched run {run_id}: {said['url']}")
    sys.exit(SUCCEEDED)


def _watch(dagster: Dagster, run_id: str, *, as_json: bool) -> int:
    """Show a run's log until it has ended; returns what this process is to end with."""
    from nb_dagster.cli.log_screen import log_screen
    from nb_dagster.cli.served_log import ServedLog

    click.echo(f"run {run_id}: {dagster.name}/runs/{run_id}", err=True)
    log = ServedLog(dagster, run_id)
    show = log_screen(as_json=False, err=as_json)
    for piece in log.follow():
        show(piece)
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "url": f"{dagster.name}/runs/{run_id}", "status": log.outcome}))
    else:
        click.echo(f"run {run_id}: {log.outcome}")
    return log.exit_code
