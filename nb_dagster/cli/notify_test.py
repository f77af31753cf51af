"""``nb-dagster notify-test``: one message, to see whether it arrives."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, SUCCEEDED, USAGE
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    from nb_dagster.notifications.message import Message


@click.command("notify-test", short_help="Send a test message to a target of notifications.")
@click.argument("target", metavar="TARGET")
@click.option("--attach-page", metavar="NOTEBOOK", help="Attach the page of this notebook, executed or not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def notify_test(target: str, *, attach_page: str | None, as_json: bool) -> NoReturn:
    """Send one test message to TARGET: a name from the project file, or an address as definitions have it, or env:NAME
    or file:PATH, where that is.

    \b
    Example:
      nb-dagster notify-test team
      nb-dagster notify-test env:SLACK_URL
    """
    from nb_dagster.notifications.message import NotDelivered  # brings Dagster
    from nb_dagster.notifications.targets import targets_of

    label = ""
    try:
        (found,) = targets_of([target if ":" in target else _address(target)])
        label = found.label
        note = found.send(_message(attach_page))
    except RunRefused as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)
    except NotDelivered as why:
        _tell(f"{label} did not take it: {why}", {"target": label, "sent": False, "reason": str(why)}, as_json=as_json)
        sys.exit(INFRASTRUCTURE)
    _tell(
        f"{label} took it{note and f', but {note}'}",
        {"target": label, "sent": True, "reason": note or None},
        as_json=as_json,
    )
    sys.exit(SUCCEEDED)


def _address(name: str) -> str:
    """Where the target of a name is, in the project file of this folder.

    Raises:
        RunRefused: there is none of that name.
    """
    from nb_dagster.project.project import FILE, NotebookProject
    from nb_dagster.project.words import nearest

    targets = NotebookProject.from_yaml(".").project.notifications.targets
    if name not in targets:
        hint = nearest(name, targets) or "an address has a ://, and env:NAME or file:PATH say where one is"
        raise RunRefused(f"{FILE} names no target {name!r}; {hint}".strip())
    return targets[name]


def _message(notebook: str | None) -> Message:
    """The message, with the page of a notebook.

    Raises:
        RunRefused: there is no such page.
    """
    from nb_dagster.notifications.attachments import page_at
    from nb_dagster.notifications.message import Line, Message

    pages = [] if notebook is None else [page_at(notebook)]
    return Message("Test message", [Line("", "nb-dagster notify-test sent this; nothing has happened.")], pages=pages)


def _tell(words: str, answer: dict[str, object], *, as_json: bool) -> None:
    click.echo(json.dumps(answer) if as_json else words)
