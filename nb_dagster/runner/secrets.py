"""Secrets: a definition names where they are, a run looks them up, and only its kernel is told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from nb_dagster.errors import RunRefused

Secrets: TypeAlias = Sequence[str] | Mapping[str, str]
"""Names, which are environment variables too; or names and where each is: ``env:NAME``, ``file:PATH``, a ``dg.EnvVar``."""
SHORTEST = 4
"""Characters; to black out every text that is shorter would black out everything."""


def references(secrets: Secrets, owner: str) -> dict[str, str]:
    """Where each secret is, as ``env:NAME`` or ``file:PATH``.

    Args:
        secrets: as a definition has them.
        owner: the notebook, for messages.

    Raises:
        RunRefused: one of them is no reference; above all, a value in place of one.
    """
    if isinstance(secrets, str):
        raise RunRefused(f"{owner}: secrets is a list of names, or a dict of names and where they are, not a text")
    given = secrets if isinstance(secrets, Mapping) else {name: f"env:{name}" for name in secrets}
    found = {}
    for name, where in given.items():
        variable = getattr(where, "env_var_name", None)  # of a Dagster EnvVar
        reference = where if variable is None else f"env:{variable}"
        if not isinstance(reference, str) or reference.partition(":")[0] not in ("env", "file"):
            raise RunRefused(
                f"{owner}: secrets: {name!r} says where it is: 'env:NAME', 'file:PATH' or dg.EnvVar('NAME'); "
                "the secret itself does not belong into a definition"
            )
        found[str(name)] = reference
    return found


def look_up(secrets: Mapping[str, str], owner: str) -> dict[str, str]:
    """The secrets' values.

    Args:
        secrets: where each is, from :func:`references`.
        owner: the notebook, for messages.

    Raises:
        RunRefused: one is not where it should be, or too short to be kept secret.
    """
    values = {}
    for name, reference in secrets.items():
        kind, _, place = reference.partition(":")
        value = os.environ.get(place) if kind == "env" else _read(place)
        if value is None:
            where = f"the environment variable {place}" if kind == "env" else f"the file {place}"
            raise RunRefused(f"{owner}: the secret {name!r} is not there: it should be in {where}")
        if len(value) < SHORTEST:
            raise RunRefused(
                f"{owner}: the secret {name!r} has fewer than {SHORTEST} characters; it cannot be kept secret"
            )
        values[name] = value
    return values


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        return None
