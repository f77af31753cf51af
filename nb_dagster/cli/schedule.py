"""``nb-dagster schedule``: the schedules of a Dagster, paused and resumed."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from nb_dagster.cli.dagster_options import dagster_options
from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.moments import clock
from nb_dagster.cli.refusals import refusals

if TYPE_CHECKING:
    from nb_dagster.runs.graphql import Dagster
    from nb_dagster.runs.schedules import Schedule

_as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON on standard output.")


@click.group(short_help="List, pause and resume schedules.")
def schedule() -> None:
    """List, pause and resume schedules: of the running Dagster that --url or $DAGSTER_URL names, or else of this folder.

    Of this folder means those that workspace.yaml defines, and the history they are kept in; a daemon that runs on that
    history heeds it at its next look.

    \b
    Example:
      nb-dagster schedule list
      nb-dagster schedule next nightly -n 5
      nb-dagster schedule pause nightly
    """


@schedule.command("list", short_help="Which there are.")
@_as_json
@dagster_options(None)
def list_(*, as_json: bool, url: str | None, token: str | None) -> None:
    """List all schedules, with the moment at which each fires next.

    \b
    Example:
      nb-dagster schedule list --url http://127.0.0.1:3000
    """
    from nb_dagster.runs.schedules import all_schedules

    with _dagster(url, token) as dagster:
        found = all_schedules(dagster)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in found]))
    elif found:
        _show(found)
    else:
        click.echo("there are no schedules", err=True)


@schedule.command("pause", short_help="Have one not fire until it is resumed.")
@click.argument("name")
@_as_json
@dagster_options(None)
def pause(name: str, **options: Any) -> None:
    """Pause the schedule NAME: it does not fire until it is resumed. Runs that it has launched go on.

    \b
    Example:
      nb-dagster schedule pause nightly
    """
    _change(name, running=False, **options)


@schedule.command("resume", short_help="Have a paused one fire again.")
@click.argument("name")
@_as_json
@dagster_options(None)
def resume(name: str, **options: Any) -> None:
    """Resume the schedule NAME: it fires again from now on.

    \b
    Example:
      nb-dagster schedule resume nightly
    """
    _change(name, running=True, **options)


@schedule.command("next", short_help="When they fire next.")
@click.argument("name", required=False)
@click.option(
    "-n", "count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many moments of each."
)
@_as_json
@dagster_options(None)
def next_(name: str | None, *, count: int, as_json: bool, url: str | None, token: str | None) -> None:
    """Show when schedules fire next, all or NAME; of a paused one, when it would.

    \b
    Example:
      nb-dagster schedule next nightly -n 10
    """
    from nb_dagster.runs.schedules import all_schedules, find_schedule

    with _dagster(url, token) as dagster:
        found = [find_schedule(dagster, name, ticks=count)] if name else all_schedules(dagster, ticks=count)
    if as_json:
        click.echo(json.dumps([each.to_json() for each in found]))
        return
    for each in found:
        click.echo(f"{each.name}{'' if each.is_running else ' (paused)'}")
        click.echo("".join(f"  {clock(moment)}\n" for moment in each.next), nl=False)


@contextlib.contextmanager
def _dagster(url: str | None, token: str | None) -> Iterator[Dagster]:
    """The Dagster that is meant; the process ends where it cannot be reached."""
    from nb_dagster.cli.workspace import WORKSPACE
    from nb_dagster.runs.graphql import Server, open_workspace

    with refusals():
        if url is not None:
            yield Server(url, token)
            return
        from nb_dagster.cli.terminal import own_terminal
        from nb_dagster.definitions.instance import open_history

        with own_terminal(), open_history() as instance, open_workspace(instance, WORKSPACE) as dagster:
            yield dagster


def _change(name: str, *, running: bool, as_json: bool, url: str | None, token: str | None) -> None:
    from nb_dagster.runs.schedules import find_schedule, set_running

    with _dagster(url, token) as dagster:
        set_running(dagster, find_schedule(dagster, name), running=running)
        changed = find_schedule(dagster, name)
    word = "running" if changed.is_running else "paused"
    click.echo(json.dumps(changed.to_json()) if as_json else f"{changed.name} is {word}")
    sys.exit(SUCCEEDED)


def _show(found: list[Schedule]) -> None:
    from nb_dagster.cli.tables import show_table

    rows = [
        (
            each.name,
            each.job,
            each.rhythm,
            each.timezone,
            "running" if each.is_running else "paused",
            clock(each.next[0]) if each.next and each.is_running else "",
        )
        for each in found
    ]
    show_table(("schedule", "job", "when", "time zone", "status", "next"), rows)
