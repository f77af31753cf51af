"""A run's log as a person or a program reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import click

from nb_dagster.cli.run_log import LogPiece


def log_screen(*, as_json: bool, err: bool = False) -> Callable[[LogPiece], None]:
    """What shows the pieces of a log.

    Args:
        as_json: each as an object on a line of its own.
        err: on standard error, also what the notebook printed.
    """
    return _show_json if as_json else _Screen(err=err).show


def _show_json(piece: LogPiece) -> None:
    click.echo(json.dumps(asdict(piece), ensure_ascii=False))


class _Screen:
    """Streams as they are, events on lines of their own."""

    def __init__(self, *, err: bool) -> None:
        self._err = err
        self._at_start = True

    def show(self, piece: LogPiece) -> None:
        if piece.kind != "event":
            click.echo(piece.text, nl=False, err=self._err)
            self._at_start = piece.text.endswith("\n")
            return
        if not self._at_start:
            click.echo(err=self._err)
            self._at_start = True
        clock = time.strftime("%H:%M:%S", time.localtime(piece.at))
        click.echo(f"{clock} {f'{piece.step}: ' if piece.step else ''}{piece.text}", err=True)
