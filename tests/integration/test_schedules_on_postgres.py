"""Daemons on two machines that have nothing in common but PostgreSQL: each moment of a schedule runs once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.dagster_daemon import UNQUEUED, daemons, write_project
from tests.integration.test_schedules import LONG
from tests.runs.postgres import needed_programs, postgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = """\
name: shop
defaults: {kind: op}
workflows:
  often: {notebook: quick.ipynb, schedule: {every: 5s, repeat: 8, overlap: queue, catchup: all}}
"""


def test_an_interval_loses_and_doubles_none_over_a_restart_of_both(tmp_path: Path) -> None:
    binaries = needed_programs()
    folder, here, there = (tmp_path / name for name in ("project", "here", "there"))
    for each in (folder, here, there):
        each.mkdir()
    write_project(folder, PROJECT)
    with postgres(binaries) as url:
        settings = f"{UNQUEUED}storage:\n  postgres:\n    postgres_url: {url}\n"
        (there / "dagster.yaml").write_text(settings)
        with daemons(folder, here, settings) as found:
            for moments in (3, 8):
                found.start()
                found.start(there)
                wait_until(lambda moments=moments: len(found.runs("often")) >= moments, LONG)  # type: ignore[misc]
                found.kill()
            state = found.state("often")
            assert state is not None
            assert found.fired("often") == [state.anchor + 5 * each for each in range(1, 9)]
