"""``nb-dagster run``: what it prints, what it writes, how it exits, and what it leaves in the history."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from tests.cli.command import PROGRAM, as_json, environment, nb_dagster, start
from tests.notebooks import cell_statuses, executed_notebooks, printed, run_metadata, write_notebook
from tests.waiting import wait_until

PARAMETERS = """\
from datetime import date
from pathlib import Path
from typing import Literal
n = 1  # how many
ratio = 0.5
flag = False
day: date = "2026-01-01"
title = "none"
tags: list[str] = []
table = {}
mode: Literal["fast", "exact"] = "fast"
limit: int | None = 3
folder: Path = "data"
needed: str
"""
RECORD = """\
import os, sys
print(repr((n, ratio, flag, day, title, tags, table, mode, limit, folder, needed)))
print("to stderr", file=sys.stderr)
print("cwd", os.getcwd())
nb.output("total", n * 2)
nb.output("nothing", None)
nb.metric("auc", 0.93)
nb.artifact("note.txt", b"hello")
nb.check("good", True)
nb.check("bad", False)
"""
ENDLESS = ("import os, time\nprint('pid', os.getpid(), flush=True)", "time.sleep(600)", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notebooks, an empty working directory, and the home of a Dagster instance."""
    folder = tmp_path_factory.mktemp("cli")
    write_notebook(folder / "record.ipynb", RECORD, "1 + 1", parameters=PARAMETERS)
    write_notebook(folder / "fails.ipynb", "print('before')", "x = 1\nraise ValueError('no [such] column')", "1")
    write_notebook(folder / "skips.ipynb", "print(n, title)\nnb.skip('nothing new')", parameters="n = 0\ntitle = ''")
    write_notebook(folder / "dies.ipynb", "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)")
    write_notebook(folder / "endless.ipynb", *ENDLESS)
    (folder / "work").mkdir()
    (folder / "home").mkdir()
    (folder / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def history(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


def _run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return nb_dagster("run", *arguments, cwd=folder, home=folder / "home")


class TestSuccess:
    @pytest.fixture(scope="class")
    @classmethod
    def done(cls, folder: Path) -> subprocess.CompletedProcess[str]:
        given = {
            "n": "3",
            "ratio": "1",
            "flag": "yes",
            "day": "2026-01-31",
            "title": "1 = one",
            "tags": '["a","b"]',
            "table": '{"a": [1, null]}',
            "mode": "exact",
            "limit": "none",
            "folder": "/data",
            "needed": "",
        }
        assignments = [part for name, value in given.items() for part in ("-p", f"{name}={value}")]
        options = ("--cwd", "work", "--kernel", "python3", "--output", "copies/out.ipynb", "--json")
        return _run(folder, "record.ipynb", *assignments, *options)

    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        return as_json(done)

    def test_it_exits_with_0(self, done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode == 0

    def test_json_has_the_documented_fields(self, result: dict[str, Any]) -> None:
        assert list(result) == [
            *("status", "reason", "run_id", "workflow", "notebook", "executed_notebook", "duration_s", "parameters"),
            *("outputs", "metrics", "artifacts", "checks", "cells", "error"),
        ]
        assert (result["status"], result["reason"], result["error"]) == ("succeeded", None, None)
        assert (result["workflow"], result["notebook"]) == ("record", "record.ipynb")
        assert 0 < result["duration_s"] < 100

    def test_json_has_what_the_notebook_recorded(self, result: dict[str, Any]) -> None:
        assert result["outputs"] == {"total": 6, "nothing": None}
        assert result["metrics"] == {"auc": 0.93}
        assert result["checks"] == {"good": True, "bad": False}
        assert Path(result["artifacts"]["note.txt"]).read_text() == "hello"

    def test_json_has_the_cells(self, result: dict[str, Any]) -> None:
        assert [(cell["index"], cell["status"]) for cell in result["cells"]] == [
            (index, "succeeded") for index in range(4)
        ]
        assert all(cell["duration_s"] >= 0 for cell in result["cells"])

    def test_a_value_is_read_by_the_declared_type(self, result: dict[str, Any]) -> None:
        assert result["parameters"] == {
            "n": 3,
            "ratio": 1.0,
            "flag": True,
            "day": "2026-01-31",
            "title": "1 = one",
            "tags": ["a", "b"],
            "table": {"a": [1, None]},
            "mode": "exact",
            "limit": None,
            "folder": "/data",
            "needed": "",
        }
        assert printed(result["executed_notebook"]).startswith(
            "(3, 1.0, True, datetime.date(2026, 1, 31), '1 = one', ['a', 'b'], {'a': [1, None]}, 'exact', None, "
            "PosixPath('/data'), '')\n"
        )

    def test_the_cells_and_what_they_print_are_followed_on_standard_error(
        self, done: subprocess.CompletedProcess[str]
    ) -> None:
        assert "cell 1/4 succeeded" in done.stderr
        assert "to stderr\n" in done.stderr
        assert "datetime.date(2026, 1, 31)" in done.stderr
        assert "dagster" not in done.stderr.lower().replace("nb_dagster", "")

    def test_it_runs_in_the_given_folder(self, folder: Path, result: dict[str, Any]) -> None:
        assert f"cwd {folder / 'work'}\n" in printed(result["executed_notebook"])

    def test_a_copy_is_where_it_was_asked_for(self, folder: Path, result: dict[str, Any]) -> None:
        assert result["executed_notebook"] == str(folder / "copies" / "out.ipynb")
        assert [path.name for path in (folder / "copies").iterdir()] == ["out.ipynb"]
        assert run_metadata(result["executed_notebook"])["run_id"] == result["run_id"]

    def test_the_run_is_in_the_history(self, history: dg.DagsterInstance, result: dict[str, Any]) -> None:
        run = history.get_run_by_id(result["run_id"])
        assert run is not None
        assert (run.job_name, run.status) == ("record", dg.DagsterRunStatus.SUCCESS)


class TestFailure:
    @pytest.fixture(scope="class")
    @classmethod
    def done(cls, folder: Path) -> subprocess.CompletedProcess[str]:
        return _run(folder, "fails.ipynb", "--json")

    def test_it_exits_with_1(self, done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode == 1

    def test_json_has_the_error(self, done: subprocess.CompletedProcess[str]) -> None:
        result = as_json(done)
        assert result["status"] == "failed"
        assert result["reason"] == "cell 2 (x = 1), line 2: ValueError: no [such] column"
        error = result["error"]
        assert (error["type"], error["message"], error["cell"]) == ("ValueError", "no [such] column", 1)
        assert "----> 2 raise ValueError" in error["traceback"]
        assert "\x1b" not in error["traceback"]
        assert [cell["status"] for cell in result["cells"]] == ["succeeded", "failed", "not_run"]

    def test_the_run_is_in_the_history(
        self, history: dg.DagsterInstance, done: subprocess.CompletedProcess[str]
    ) -> None:
        run = history.get_run_by_id(as_json(done)["run_id"])
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE

    @pytest.mark.slow
    def test_without_json_a_person_reads_why_and_where(self, folder: Path) -> None:
        done = _run(folder, "fails.ipynb")
        assert done.returncode == 1
        assert done.stdout.startswith("fails failed: cell 2 (x = 1), line 2: ValueError: no [such] column (")
        assert "----> 2 raise ValueError" in done.stdout
        assert "executed notebook: " in done.stdout
        assert "before" in done.stderr


@pytest.mark.slow
def test_a_skip_exits_with_0_and_takes_parameters_from_a_json_file(folder: Path) -> None:
    (folder / "params.json").write_text('{"n": 1, "title": "file"}', encoding="utf-8")
    done = _run(folder, "skips.ipynb", "--params-file", "params.json", "-p", "n=2", "--json")
    result = as_json(done)
    assert done.returncode == 0
    assert (result["status"], result["reason"]) == ("skipped", "nothing new")
    assert result["parameters"] == {"n": 2, "title": "file"}


@pytest.mark.slow
def test_parameters_from_a_yaml_file_and_no_home(tmp_path: Path) -> None:
    """Without ``$DAGSTER_HOME`` the history is in ``.nb_dagster`` under the current folder."""
    write_notebook(
        tmp_path / "notebooks/a.ipynb",
        "nb.output('all', [str(day), n, tags])",
        parameters="day: date\nn = 0\ntags = []",
    )
    (tmp_path / "notebooks/a.ipynb").write_text(
        (tmp_path / "notebooks/a.ipynb").read_text().replace("day: date", "from datetime import date\\nday: date")
    )
    (tmp_path / "params.yaml").write_text("day: 2026-01-31\nn: 2\ntags: [a, b]\n", encoding="utf-8")
    done = nb_dagster("run", "notebooks/a.ipynb", "--params-file", "params.yaml", "--json", cwd=tmp_path)
    assert as_json(done)["outputs"] == {"all": ["2026-01-31", 2, ["a", "b"]]}
    assert len(executed_notebooks(tmp_path / ".nb_dagster/notebooks", "a")) == 1
    with dg.DagsterInstance.from_config(str(tmp_path / ".nb_dagster")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]


@pytest.mark.slow
def test_a_limit_that_is_over_exits_with_3(folder: Path) -> None:
    done = _run(folder, "endless.ipynb", "--timeout", "3", "--json")
    result = as_json(done)
    assert done.returncode == 3
    assert result["status"] == "timed_out"
    assert [cell["status"] for cell in result["cells"]] == ["succeeded", "timed_out", "not_run"]


@pytest.mark.slow
def test_a_kernel_that_dies_exits_with_4(folder: Path) -> None:
    done = _run(folder, "dies.ipynb", "--json")
    result = as_json(done)
    assert done.returncode == 4
    assert result["status"] == "killed"
    assert "SIGKILL" in result["reason"]


def test_a_broken_history_exits_with_5_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("nonsense: true\n", encoding="utf-8")
    done = nb_dagster("run", "skips.ipynb", "--json", cwd=folder, home=tmp_path)
    assert done.returncode == 5
    assert done.stdout == ""
    assert done.stderr.startswith("nb-dagster: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stop_exits_with_130_and_keeps_what_ran(
    folder: Path, history: dg.DagsterInstance, stop: signal.Signals
) -> None:
    process = subprocess.Popen(
        [PROGRAM, "run", "endless.ipynb", "--json"],
        cwd=folder,
        env=environment(folder / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    shown = ""
    while "pid " not in shown:
        shown = process.stderr.readline()
        assert shown, "it ended before its first cell"
    kernel = psutil.Process(int(shown.split()[1]))
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(stop)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - started < 10
    assert not kernel.is_running()
    assert "Traceback" not in stderr
    result = json.loads(stdout)
    assert result["status"] == "cancelled"
    assert cell_statuses(result["executed_notebook"]) == ["succeeded", "cancelled", "not_run"]
    run = history.get_run_by_id(result["run_id"])
    assert run is not None
    assert run.status == dg.DagsterRunStatus.CANCELED


def test_a_stop_before_the_notebook_starts_is_a_cancel_in_the_history_too(tmp_path: Path) -> None:
    write_notebook(tmp_path / "endless.ipynb", "import time\ntime.sleep(600)")
    process = start("run", "endless.ipynb", cwd=tmp_path)
    runs = tmp_path / ".nb_dagster/history/runs"
    wait_until(lambda: len(list(runs.glob("*-*.db"))) == 1, 60)  # Dagster has begun its log
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    (run,) = json.loads(nb_dagster("history", "--json", cwd=tmp_path).stdout)
    assert run["status"] == "cancelled"


class TestRefusals:
    """Wrong use exits with 2 in one line, and starts nothing."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (
                ["record.ipynb", "-p", "n=three"],
                "record.ipynb: parameter 'n' must be int (line 4 of its parameters cell)",
            ),
            (["record.ipynb", "-p", "needed=x", "-p", "day=31.1."], "parameter 'day' must be date"),
            (["record.ipynb", "-p", "needed=x", "-p", "mode=slow"], 'must be one of "fast", "exact"'),
            (["record.ipynb", "-p", "needd=x"], "there is no parameter 'needd'; did you mean 'needed'?"),
            (["record.ipynb"], "no value for the required parameter 'needed' (str)"),
            (["record.ipynb", "-p", "needed"], "-p needed: write it as NAME=VALUE"),
            (["fails.ipynb", "-p", "n=1"], "there is no parameter 'n', the notebook declares none"),
            (["fails.ipynb", "--kernel", "fortran"], "there is no kernel 'fortran' on this machine"),
            (["fails.ipynb", "--cwd", "nowhere"], "the working directory nowhere does not exist"),
            (["fails.ipynb", "--output", "fails.ipynb"], "--output fails.ipynb exists already"),
            (["fails.ipynb", "--output", "out.html"], "an executed notebook is an .ipynb file"),
            (["fails.ipynb", "--params-file", "none.json"], "none.json: the parameters file cannot be read"),
            (["fails.ipynb", "--params-file", "list.json"], "a parameters file is a mapping of names to values"),
            (["fails.ipynb", "--params-file", "broken.yaml"], "broken.yaml: the parameters file is no YAML"),
            (["missing.ipynb"], "missing.ipynb does not exist"),
            (["list.json"], "is no notebook"),
            (["nonsense"], "'nonsense' is no notebook file"),
        ],
    )
    def test_it_says_what_is_wrong(self, folder: Path, arguments: list[str], words: str) -> None:
        (folder / "list.json").write_text("[1]", encoding="utf-8")
        (folder / "broken.yaml").write_text("a: [1", encoding="utf-8")
        done = _run(folder, *arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert words in done.stderr
        assert done.stderr.startswith("nb-dagster: ")
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("arguments", [["fails.ipynb", "--timeout", "0"], ["fails.ipynb", "--nonsense"], []])
    def test_a_wrong_option_shows_the_usage(self, folder: Path, arguments: list[str]) -> None:
        done = _run(folder, *arguments)
        assert done.returncode == 2
        assert "Usage: nb-dagster run" in done.stderr

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        write_notebook(tmp_path / "a.ipynb", "1", parameters="n = 1")
        nb_dagster("run", "a.ipynb", "-p", "n=x", "--output", "out/b.ipynb", cwd=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]
