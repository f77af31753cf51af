"""The Dagster instance that a command's runs are recorded in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

DEFAULT_HOME = ".nb_dagster"


@contextlib.contextmanager
def open_history() -> Iterator[dg.DagsterInstance]:
    """The instance of ``$DAGSTER_HOME``, or one in ``.nb_dagster`` under this folder."""
    if not os.environ.get("DAGSTER_HOME"):
        home = Path(DEFAULT_HOME).absolute()
        home.mkdir(exist_ok=True)
        settings = home / "dagster.yaml"
        if not settings.exists():
            settings.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        os.environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.get() as instance:
        yield instance
