"""What a command cannot do, said in one line, with its exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from nb_dagster.cli.exit_codes import INFRASTRUCTURE, USAGE
from nb_dagster.errors import RunRefused


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """End the process where the block is refused, or cannot reach what it needs."""
    from nb_dagster.runs.graphql import Unreachable

    try:
        yield
    except RunRefused as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)
    except (Unreachable, OSError) as failed:
        click.echo(f"nb-dagster: {failed}", err=True)
        sys.exit(INFRASTRUCTURE)
