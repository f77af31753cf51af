"""Single flight and idempotency keys, between processes that know nothing of one another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.cli.command import as_json, await_line, nb_dagster, start
from tests.notebooks import executed_notebooks, write_notebook
from tests.runs.postgres import needed_programs, postgres

pytestmark = pytest.mark.slow

OVERLAP = """\
import os, pathlib, time
flag = pathlib.Path("running")
flag.touch(exist_ok=False)
time.sleep(0.3)
flag.unlink()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_notebook(tmp_path / "alone.ipynb", OVERLAP)
    write_notebook(tmp_path / "endless.ipynb", "import time\nprint('started', flush=True)\ntime.sleep(600)")
    write_notebook(tmp_path / "count.ipynb", "nb.output('n', n)\nnb.metric('double', 2 * n)", parameters="n = 1")
    return tmp_path


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that holds the flight of ``endless``."""
    process = start("run", "endless.ipynb", "--single-flight", "refuse", cwd=folder)
    with process:
        await_line(process, "started")
        yield process
        process.kill()


def _outcome(process: subprocess.Popen[str]) -> tuple[int, dict[str, str]]:
    stdout, stderr = process.communicate(timeout=120)
    assert stdout, stderr
    return process.returncode, json.loads(stdout)


class TestSingleFlight:
    def test_a_second_run_is_refused_and_told_which_one_runs(self, folder: Path, holder: subprocess.Popen[str]) -> None:
        done = nb_dagster("run", "endless.ipynb", "--single-flight", "refuse", cwd=folder)
        assert done.returncode == 2
        assert "endless is running already, in run " in done.stderr
        assert holder.poll() is None
        with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as history:
            refused, first = history.get_runs(limit=2)
        assert first.run_id in done.stderr
        assert refused.status == dg.DagsterRunStatus.FAILURE

    def test_one_that_was_killed_stops_nobody(self, folder: Path, holder: subprocess.Popen[str]) -> None:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        done = nb_dagster("run", "endless.ipynb", "--single-flight", "refuse", "--timeout", "2", cwd=folder)
        assert done.returncode == 3

    def test_one_that_waits_can_be_cancelled(self, folder: Path, holder: subprocess.Popen[str]) -> None:
        waiting = start("run", "endless.ipynb", "--single-flight", "queue", cwd=folder)
        with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as history:
            while not any("waiting for run" in text for text in _messages(history)):
                assert waiting.poll() is None
            waiting.send_signal(signal.SIGINT)
            waiting.communicate(timeout=30)
            assert waiting.returncode == 130
            info = history.event_log_storage.get_concurrency_info("single_flight/endless")
        assert (info.active_slot_count, info.pending_steps[1:]) == (1, [])
        assert holder.poll() is None

    def test_of_many_at_once_each_runs_alone(self, folder: Path) -> None:
        runs = [start("run", "alone.ipynb", "--single-flight", "queue", "--json", cwd=folder) for _ in range(6)]
        assert [_outcome(run)[0] for run in runs] == [0] * 6

    def test_of_many_on_machines_that_share_only_the_database_each_runs_alone(self, folder: Path) -> None:
        with postgres(needed_programs()) as url:
            homes = [folder / name for name in ("here", "there")]
            for each in homes:
                each.mkdir()
                (each / "dagster.yaml").write_text(f"storage:\n  postgres:\n    postgres_url: {url}\n")
            command = ("run", "alone.ipynb", "--single-flight", "queue", "--json")
            runs = [start(*command, cwd=folder, home=home) for home in homes * 3]
            assert [_outcome(run)[0] for run in runs] == [0] * 6

    def test_of_many_at_once_that_do_not_wait_one_runs(self, folder: Path) -> None:
        command = ("run", "endless.ipynb", "--single-flight", "refuse", "--timeout", "20")
        runs = [start(*command, cwd=folder) for _ in range(5)]
        for run in runs:
            run.communicate(timeout=120)
        assert sorted(run.returncode for run in runs) == [2, 2, 2, 2, 3]


def _messages(history: dg.DagsterInstance) -> list[str]:
    newest = history.get_run_ids(limit=1)
    return [entry.message for entry in history.all_logs(newest[0])] if newest else []


class TestIdempotencyKey:
    def test_a_second_launch_gives_the_first_ones_result(self, folder: Path) -> None:
        command = ("run", "count.ipynb", "-p", "n=3", "--idempotency-key", "monday", "--json")
        first, second = (as_json(nb_dagster(*command, cwd=folder)) for _ in range(2))
        assert second == {**first, "duration_s": second["duration_s"], "cells": second["cells"]}
        assert second["outputs"] == {"n": 3}
        assert len(executed_notebooks(folder / ".nb_dagster/notebooks", "count")) == 1

    def test_another_use_of_the_key_is_refused(self, folder: Path) -> None:
        nb_dagster("run", "count.ipynb", "--idempotency-key", "monday", cwd=folder)
        done = nb_dagster("run", "count.ipynb", "-p", "n=4", "--idempotency-key", "monday", cwd=folder)
        assert done.returncode == 2
        assert "the idempotency key 'monday' was used for run " in done.stderr
        assert "of other parameters; use another key" in done.stderr

    def test_one_that_runs_is_waited_for(self, folder: Path) -> None:
        command = ("run", "endless.ipynb", "--timeout", "6", "--idempotency-key", "night", "--json")
        first = start(*command, cwd=folder)
        await_line(first, "started")
        second = nb_dagster(*command, cwd=folder)
        code, result = _outcome(first)
        assert (second.returncode, as_json(second)["run_id"]) == (code, result["run_id"]) == (3, result["run_id"])

    def test_one_that_was_killed_is_told_as_such(self, folder: Path) -> None:
        command = ("run", "endless.ipynb", "--idempotency-key", "night", "--json")
        first = start(*command, cwd=folder)
        await_line(first, "started")
        first.kill()
        first.communicate()
        second = nb_dagster(*command, cwd=folder)
        assert second.returncode == 4
        assert as_json(second)["status"] == "killed"

    def test_of_many_at_once_one_runs(self, folder: Path) -> None:
        command = ("run", "count.ipynb", "--idempotency-key", "monday", "--json")
        outcomes = [_outcome(run) for run in [start(*command, cwd=folder) for _ in range(5)]]
        assert [code for code, _ in outcomes] == [0] * 5
        assert len({result["run_id"] for _, result in outcomes}) == 1
        assert len(executed_notebooks(folder / ".nb_dagster/notebooks", "count")) == 1
