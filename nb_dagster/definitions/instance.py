"""The Dagster instance that a command's runs are recorded in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from nb_dagster.definitions.home import alone_in

DEFAULT_HOME = ".nb_dagster"
SETTINGS = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_coordinator:  # runs start at once, and need no daemon
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""


def use_default_home() -> None:
    """Make ``.nb_dagster`` under this folder the ``$DAGSTER_HOME`` of this process, where none is set."""
    if os.environ.get("DAGSTER_HOME"):
        return
    home = Path(DEFAULT_HOME).absolute()
    home.mkdir(exist_ok=True)
    settings = home / "dagster.yaml"
    with alone_in(home):
        if not settings.exists():
            settings.write_text(SETTINGS, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)


@contextlib.contextmanager
def open_history() -> Iterator[dg.DagsterInstance]:
    """The instance of ``$DAGSTER_HOME``, or one in ``.nb_dagster`` under this folder."""
    use_default_home()
    with alone_in(os.environ["DAGSTER_HOME"]):  # two that make its databases at once would break them
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance
