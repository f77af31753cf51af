"""The running Dagster that a command speaks with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def dagster_options(default: str | None) -> Callable[[Any], Any]:
    """The options ``--url`` and ``--token`` of a command.

    Args:
        default: the address where none is given; None leaves it open.
    """

    def add(command: Any) -> Any:
        url = click.option(
            "--url",
            envvar="DAGSTER_URL",
            default=default,
            show_default=default is not None,
            show_envvar=True,
            help="Address of Dagster's web server.",
        )
        token = click.option(
            "--token", envvar="DAGSTER_TOKEN", show_envvar=True, help="What it wants to see, if it wants something."
        )
        return url(token(command))

    return add
