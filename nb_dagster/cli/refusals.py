"""What a command cannot do, said in one line, with its exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from nb_dagster.cli.exit_codes import CANCELLED, INFRASTRUCTURE, USAGE
from nb_dagster.errors import RunRefused


@contextlib.contextmanager
def usage_errors(*more: type[Exception]) -> Iterator[None]:
    """End the process where the block is refused.

    Args:
        more: what else of the block is a mistake of the user's.
    """
    mistakes: tuple[type[Exception], ...] = (RunRefused, *more)
    try:
        yield
    except mistakes as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """End the process where the block is refused, or cannot reach what it needs."""
    from nb_dagster.runs.graphql import Unreachable

    try:
        with usage_errors():
            yield
    except (Unreachable, OSError) as failed:
        click.echo(f"nb-dagster: {failed}", err=True)
        sys.exit(INFRASTRUCTURE)


@contextlib.contextmanager
def runs_without_result(what: str, stderr: TextIO) -> Iterator[None]:
    """End the process where the block, which runs something, gives no result.

    Args:
        what: what it runs.
        stderr: hears why.
    """
    try:
        yield
    except KeyboardInterrupt:
        stderr.write(f"nb-dagster: cancelled before {what} started\n")
        sys.exit(CANCELLED)
    except RunRefused as refused:
        stderr.write(f"nb-dagster: {refused}\n")
        sys.exit(USAGE)
    except Exception as error:  # the boundary: whatever else broke is infrastructure, and is said in one line
        stderr.write(f"nb-dagster: {type(error).__name__}: {error}\n")
        sys.exit(INFRASTRUCTURE)
