"""``nb-dagster show``: all that is known of one run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.moments import clock, span
from nb_dagster.cli.refusals import refusals

if TYPE_CHECKING:
    from nb_dagster.notebook.types import JSON
    from nb_dagster.runner.result import NotebookResult
    from nb_dagster.runs.past_run import PastAttempt, PastRun


@click.command(short_help="Show all that is known of a run.")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print the run as one JSON object on standard output.")
def show(run: str, *, as_json: bool) -> NoReturn:
    """Show a run: how it ended and why, its parameters, and each attempt with its notebook, records and error.

    RUN is a run's id or its beginning, or a workflow, which means its latest run.

    \b
    Example:
      nb-dagster show 1a2b3c4d
    """
    from nb_dagster.runs.history import history

    with refusals(), history() as asked:
        found = asked.run(run)
    told = [(attempt, _kept(attempt)) for attempt in found.attempts]
    if as_json:
        attempts: list[JSON] = [{**attempt.to_json(), **_recorded(result)} for attempt, result in told]
        click.echo(json.dumps({**found.to_json(), "attempts": attempts}, ensure_ascii=False))
    else:
        click.echo("\n".join([*_about(found), *(line for each in told for line in _about_attempt(*each))]))
    sys.exit(SUCCEEDED)


def _kept(attempt: PastAttempt) -> NotebookResult | None:
    """What its executed notebook says; None where that is not there any more."""
    from nb_dagster.runner.reading import read_result

    try:
        return read_result(attempt.executed_notebook)
    except (OSError, ValueError, KeyError):
        return None


def _recorded(result: NotebookResult | None) -> dict[str, JSON]:
    """What only the notebook has, as ``run --json`` has it."""
    names = ("outputs", "metrics", "artifacts", "checks", "cells", "error")
    said = result.to_json() if result else {}
    return {name: said.get(name) for name in names}


def _about(run: PastRun) -> list[str]:
    ended = f", ended {clock(run.ended)}" if run.ended else ""
    return [
        f"run {run.run_id} of {run.job}",
        f"  {run.status}{f': {run.reason}' if run.reason else ''}",
        f"  started {clock(run.started)}{ended}{f' ({span(run.duration_s)})' if run.duration_s is not None else ''}",
        *(_parameters(run.parameters) if not run.attempts else []),
    ]


def _about_attempt(attempt: PastAttempt, result: NotebookResult | None) -> list[str]:
    from nb_dagster.cli.progress import record_lines

    lines = ["", f"{attempt.step}, attempt {attempt.number}: {attempt.status} ({span(attempt.duration_s)})"]
    if attempt.reason:
        lines.append(f"  {attempt.reason}")
    lines += _parameters(attempt.parameters)
    if attempt.commit:
        lines.append(f"  commit {attempt.commit}{' and changes since' if attempt.dirty else ''}")
    lines += record_lines(result) if result else []
    lines.append(f"  executed notebook: {attempt.executed_notebook}{'' if result else ' (not there any more)'}")
    if attempt.page:
        lines.append(f"  page: {attempt.page}")
    if result and result.error:
        lines += ["", *(f"  {line}" for line in result.error.traceback.splitlines())]
    return lines


def _parameters(values: object) -> list[str]:
    return [f"  parameters {json.dumps(values, ensure_ascii=False, default=str)}"] if values else []
