"""Idempotency keys: each names one launch, however often it is tried."""

from __future__ import annotations

from nb_dagster.errors import RunRefused


def check_key(key: str) -> None:
    """See that a key names something.

    Raises:
        RunRefused: it is empty.
    """
    if not key.strip():
        raise RunRefused("--idempotency-key is empty; give a text that names this one launch")


def used_otherwise(key: str, run_id: str, what: str) -> RunRefused:
    """What is said where a key was used for something else.

    Args:
        key: the key.
        run_id: id of the run that it was used for.
        what: of what that run is.
    """
    return RunRefused(f"the idempotency key {key!r} was used for run {run_id} of {what}; use another key")
