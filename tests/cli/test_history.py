"""``nb-dagster history``, ``show`` and ``download``: what has run, asked from a command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.cli.command import as_json, nb_dagster
from tests.executors.deployment import make_home
from tests.notebooks import run_metadata
from tests.runs.past import Past

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    make_home(folder)
    return folder


@pytest.fixture(scope="module")
def past(folder: Path) -> Iterator[Past]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        past = Past(folder, instance)
        past.materialize("good", past.train, 500)
        past.materialize("bad", past.train, -1)
        past.execute("tried twice", past.again, {"stubborn": {"n": -1}})
        instance.create_run_for_job(past.slow)
        yield past


def _command(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return nb_dagster(*arguments, cwd=folder, home=folder / "home")


def _list(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("past")
class TestHistory:
    def test_it_is_a_table_with_a_line_for_each_run(self, folder: Path, past: Past) -> None:
        done = _command(folder, "history", "train")
        heading, *lines = done.stdout.splitlines()
        assert heading.split() == ["run", "job", "status", "started", "duration", "parameters", "reason"]
        assert [line.split()[0] for line in lines] == [past.ids["bad"][:8], past.ids["good"][:8]]
        assert "failed" in lines[0]
        assert "n=-1" in lines[0]
        assert "AssertionError: too few" in lines[0]

    def test_json_is_a_list_of_them(self, folder: Path, past: Past) -> None:
        (run,) = _list(_command(folder, "history", "train", "--status", "succeeded", "--since", "1h", "--json"))
        assert (run["run_id"], run["status"], run["parameters"]) == (past.ids["good"], "succeeded", {"n": 500})
        assert run_metadata(run["executed_notebook"])["run_id"] == past.ids["good"]

    def test_it_is_told_as_of_a_date(self, folder: Path) -> None:
        assert _list(_command(folder, "history", "--until", "2020-01-31", "--json")) == []

    def test_as_many_as_asked_for(self, folder: Path) -> None:
        assert len(_list(_command(folder, "history", "--last", "2", "--json"))) == 2

    def test_a_workflow_that_has_never_run_is_refused(self, folder: Path) -> None:
        done = _command(folder, "history", "trian")
        assert done.returncode == 2
        assert done.stderr == f"nb-dagster: the history in {folder / 'home'} has no run of 'trian'\n"

    def test_nothing_of_a_workflow_that_has_run_is_no_error(self, folder: Path) -> None:
        done = _command(folder, "history", "train", "--status", "killed")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "no such runs\n")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--since", "yesterday"), "'yesterday' is no moment; write 2026-01-31, "),
            (("--status", "broken"), "'broken' is not one of"),
            (("--last", "0"), "0 is not in the range x>=1"),
        ],
    )
    def test_wrong_use_is_refused(self, folder: Path, arguments: tuple[str, ...], words: str) -> None:
        done = _command(folder, "history", *arguments)
        assert done.returncode == 2
        assert words in done.stderr


@pytest.mark.usefixtures("past")
class TestShow:
    def test_it_tells_reason_parameters_records_notebook_and_traceback(self, folder: Path, past: Past) -> None:
        done = _command(folder, "show", past.ids["bad"][:8])
        assert done.returncode == 0
        assert done.stdout.startswith(f"run {past.ids['bad']} of __ephemeral_asset_job__\n  failed: cell ")
        for words in ('parameters {"n": -1}', "rows = -1", "auc = 0.9", "/train.ipynb\n", "AssertionError"):
            assert words in done.stdout
        assert 'assert n > 0, "too few"' in done.stdout.replace("'", '"')

    def test_a_workflow_is_its_latest_run_and_json_has_each_attempt(self, folder: Path, past: Past) -> None:
        run = as_json(_command(folder, "show", "stubborn", "--json"))
        assert (run["run_id"], run["status"]) == (past.ids["tried twice"], "failed")
        assert [each["attempt"] for each in run["attempts"]] == [1, 2]
        assert [each["metrics"] for each in run["attempts"]] == [{"auc": 0.9}] * 2
        assert run["attempts"][1]["error"]["type"] == "AssertionError"

    def test_a_run_that_has_not_started_says_so(self, folder: Path) -> None:
        done = _command(folder, "show", "slow")
        assert done.returncode == 0
        assert "\n  queued\n" in done.stdout

    def test_an_ambiguous_beginning_is_refused(self, folder: Path, past: Past) -> None:
        with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
            for last in "12":
                run_id = f"abcd0000-0000-4000-8000-00000000000{last}"
                instance.add_run(dg.DagsterRun(job_name="twins", run_id=run_id))
            done = _command(folder, "show", "abcd")
            for run in instance.get_runs(dg.RunsFilter(job_name="twins")):
                instance.delete_run(run.run_id)
        assert done.returncode == 2
        assert "'abcd' begins the ids of 2 runs" in done.stderr

    def test_one_that_there_is_not_is_refused(self, folder: Path) -> None:
        done = _command(folder, "show", "nonsense")
        assert done.returncode == 2
        assert "has no run 'nonsense'; give its id, how it begins, or the name of a workflow" in done.stderr


def _under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class TestDownload:
    def test_it_has_notebook_and_files(self, folder: Path, past: Past, tmp_path: Path) -> None:
        done = _command(folder, "download", past.ids["good"], "--output", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert _under(tmp_path / "out") == {"train-1/train.ipynb", "train-1/train.files/model.bin"}
        assert (tmp_path / "out/train-1/train.files/model.bin").read_bytes() == b"model"
        assert run_metadata(tmp_path / "out/train-1/train.ipynb")["run_id"] == past.ids["good"]

    def test_each_attempt_has_a_folder(self, folder: Path, tmp_path: Path) -> None:
        done = _command(folder, "download", "stubborn", "--notebook", "--output", tmp_path / "out", "--json")
        assert json.loads(done.stdout) == [str(tmp_path / f"out/stubborn-{n}/train.ipynb") for n in (1, 2)]

    @pytest.mark.parametrize(
        ("what", "name"), [("--page", "train-1/train.html"), ("--artifacts", "train-1/train.files/model.bin")]
    )
    def test_only_what_is_asked_for(self, folder: Path, past: Past, tmp_path: Path, what: str, name: str) -> None:
        assert _command(folder, "download", past.ids["good"], what, "--output", tmp_path).returncode == 0
        assert _under(tmp_path) == {name}

    def test_no_file_is_written_over_and_then_none_is_written(self, folder: Path, past: Past, tmp_path: Path) -> None:
        taken = tmp_path / "train-1/train.ipynb"
        taken.parent.mkdir()
        taken.write_text("mine")
        done = _command(folder, "download", past.ids["good"], "--output", tmp_path)
        assert done.returncode == 2
        assert f"{taken} exists already, and is not written over" in done.stderr
        assert _under(tmp_path) == {"train-1/train.ipynb"}
        assert taken.read_text() == "mine"

    def test_a_run_without_a_notebook_is_refused(self, folder: Path, past: Past, tmp_path: Path) -> None:
        done = _command(folder, "download", "slow", "--output", tmp_path / "out")
        assert done.returncode == 2
        assert "has no executed notebook (queued)" in done.stderr

    def test_one_whose_notebook_is_gone_is_refused(self, folder: Path, past: Past, tmp_path: Path) -> None:
        with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
            (attempt,) = nbd.History(instance).run(past.ids["bad"]).attempts
        away = f"{attempt.executed_notebook}.away"
        os.rename(attempt.executed_notebook, away)
        done = _command(folder, "download", past.ids["bad"], "--output", tmp_path / "out")
        os.rename(away, attempt.executed_notebook)
        assert done.returncode == 2
        assert "is not there any more" in done.stderr
        assert not (tmp_path / "out").exists()

    def test_it_comes_from_a_remote_store_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from nb_dagster.cli.main import main

        make_home(tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
        with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
            past = Past(tmp_path, instance, store="memory://history/notebooks")  # which only this process has
            past.materialize("good", past.train, 500)
        with pytest.raises(SystemExit) as ended:
            main(["download", "train", "--output", "out", "--page", "--notebook", "--artifacts"])
        assert ended.value.code == 0
        assert _under(tmp_path / "out") == {
            "train-1/train.ipynb",
            "train-1/train.html",
            "train-1/train.files/model.bin",
        }


@pytest.mark.parametrize("command", ["logs", "cancel"])
def test_a_workflow_is_its_latest_run_for_other_commands_too(folder: Path, past: Past, command: str) -> None:
    done = _command(folder, command, "train")
    if command == "logs":
        assert done.returncode == 0
        assert "AssertionError: too few" in done.stderr
    else:
        assert done.returncode == 2
        assert done.stderr == f"nb-dagster: run {past.ids['bad']} has ended already: failed\n"
