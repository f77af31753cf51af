"""Real daemons of Dagster on one project and one history; they are killed as a machine that fails kills them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import dagster as dg
import psutil
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.schedules.policy import State
from tests.integration.dagster_dev import SETTINGS, environment, processes_of
from tests.notebooks import write_notebook

UNQUEUED = f"""\
{SETTINGS}
run_coordinator:  # two daemons on Dagster's queue of runs may both start a run that waits there
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""
_WORKSPACE = """\
load_from:
  - python_file: {relative_path: definitions.py, location_name: shop}
"""
_DEFINITIONS = """\
from nb_dagster import NotebookProject

defs = NotebookProject.from_yaml("nb_dagster.yaml").build_defs()
"""
GONE_IN = 30.0
"""Seconds in which killed processes are gone."""


def write_project(folder: Path, project: str) -> None:
    """Write a project whose notebook, ``quick.ipynb``, prints the moment that it runs for.

    Args:
        folder: where to.
        project: what its ``nb_dagster.yaml`` says.
    """
    (folder / "nb_dagster.yaml").write_text(project)
    (folder / "workspace.yaml").write_text(_WORKSPACE)
    (folder / "definitions.py").write_text(_DEFINITIONS)
    write_notebook(folder / "quick.ipynb", "print(now)", parameters="now: str = ''")


class Daemons:
    """The daemons of a project.

    Args:
        folder: a project with a ``workspace.yaml``.
        home: ``DAGSTER_HOME``.
        instance: its history.
    """

    def __init__(self, folder: Path, home: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.home, self.instance = folder, home, instance
        self._running: list[subprocess.Popen[bytes]] = []
        self._homes = {home}

    def start(self, home: Path | None = None) -> None:
        """Start one more.

        Args:
            home: ``DAGSTER_HOME`` of another machine with the same history; None is that of the others.
        """
        home = home or self.home
        with open(home / "daemon.log", "ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
                cwd=self.folder,
                env=environment(home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(daemon)
        self._homes.add(home)

    def kill(self) -> None:
        """Kill all of them; the runs go on."""
        for each in self._running:
            each.kill()
            each.wait(GONE_IN)
        self._running.clear()

    def left(self) -> list[psutil.Process]:
        """All processes of their Dagster that still live."""
        return [process for home in self._homes for process in processes_of(home)]

    def runs(self, workflow: str) -> list[dg.DagsterRun]:
        """The runs of a workflow, oldest first."""
        return list(self.instance.get_runs(dg.RunsFilter(job_name=workflow)))[::-1]

    def fired(self, workflow: str) -> list[float]:
        """The moments of its runs, in seconds since the epoch."""
        tags = [run.tags[SCHEDULED_EXECUTION_TIME_TAG] for run in self.runs(workflow)]
        return sorted(datetime.fromisoformat(each).timestamp() for each in tags)

    def state(self, workflow: str) -> State | None:
        """What its schedule knows."""
        key = f"nb_dagster/schedule/shop/{workflow}"
        text = self.instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
        return State.read(text) if text else None

    def set_back(self, workflow: str, seconds: float) -> None:
        """Have its sensor have been started and seen last so many seconds earlier, as if all daemons had been down since."""
        state = self.state(workflow)
        assert state is not None
        earlier = replace(state, anchor=state.anchor - seconds, seen=state.anchor - seconds)
        self.instance.daemon_cursor_storage.set_cursor_values({f"nb_dagster/schedule/shop/{workflow}": str(earlier)})
        for each in self.instance.all_instigator_state():
            if each.instigator_name == f"{workflow}_ticker":
                data = cast("SensorInstigatorData", each.instigator_data)
                self.instance.update_instigator_state(each.with_data(data.with_sensor_start_timestamp(earlier.anchor)))

    def said(self, name: str) -> dict[float, list[str]]:
        """What the ticks of a schedule or sensor said, by their time."""
        found: dict[float, list[str]] = defaultdict(list)
        for state in self.instance.all_instigator_state():
            if state.instigator_name == name:
                for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id):
                    found[tick.timestamp].append(tick.skip_reason or tick.status.value)
        return dict(found)


@contextlib.contextmanager
def daemons(folder: Path, home: Path, settings: str = UNQUEUED) -> Iterator[Daemons]:
    """Daemons of a project; whatever happens in the block, none of their processes is left behind it.

    Args:
        folder: a project with a ``workspace.yaml``.
        home: an empty folder for ``DAGSTER_HOME``.
        settings: what its ``dagster.yaml`` says.
    """
    (home / "dagster.yaml").write_text(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = Daemons(folder, home, instance)
        try:
            yield found
        finally:
            found.kill()
            left = found.left()
            for each in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(left, timeout=GONE_IN)
