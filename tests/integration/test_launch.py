"""``nb-dagster launch`` and ``nb-dagster schedule`` on a Dagster that runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.cli.command import as_json, nb_dagster, start
from tests.integration.dagster_dev import DagsterDev, dagster_dev
from tests.notebooks import write_notebook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DEFINITIONS = """\
import dagster as dg
import nb_dagster as nbd

train = nbd.notebook_asset("train.ipynb")
sets = nbd.notebook_asset("train.ipynb", name="sets", outs=["rows", "double"])
quick = nbd.notebook_job("quick", ["quick.ipynb"])
defs = dg.Definitions(
    assets=[train, sets],
    jobs=[
        quick,
        nbd.notebook_job("two", [nbd.notebook_op("train.ipynb", name="first"), nbd.notebook_op("train.ipynb", name="second")]),
        nbd.notebook_job("endless", ["endless.ipynb"]),
        nbd.notebook_job("slow", [nbd.notebook_op("endless.ipynb", name="limited", cell_timeout=1)]),
    ],
    schedules=[
        dg.ScheduleDefinition(name="nightly", job=quick, cron_schedule="30 2 * * *", execution_timezone="Europe/Berlin")
    ],
    resources=nbd.resources(),
)
"""
WORKSPACE = """\
load_from:
  - python_file: {relative_path: definitions.py, location_name: example_project}
"""
PARAMETERS = """\
from datetime import date
from typing import Literal
n: int = 400
day: date = "2026-01-31"
model: Literal["svc", "tree"] = "svc"
tags: list[str] = []
note: str | None = None
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    (folder / "definitions.py").write_text(DEFINITIONS)
    (folder / "workspace.yaml").write_text(WORKSPACE)
    cells = "print('größe', n, flush=True)\nassert n > 0, 'too few'\nnb.output('rows', n)\nnb.output('double', 2 * n)"
    write_notebook(folder / "train.ipynb", cells, parameters=PARAMETERS)
    write_notebook(folder / "quick.ipynb", "1")
    write_notebook(folder / "endless.ipynb", "import time\nprint('running', flush=True)\ntime.sleep(600)")
    with dagster_dev(folder, home) as dev:
        yield dev


def _launch(dev: DagsterDev, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nb_dagster("launch", *arguments, "--url", dev.url, cwd=dev.folder.parent)


def _config(dev: DagsterDev, run_id: str) -> Any:
    with dg.DagsterInstance.from_config(str(dev.home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return run.run_config.get("ops")


class TestLaunch:
    def test_an_asset_runs_with_typed_parameters_and_goes_on_alone(self, dev: DagsterDev) -> None:
        given = ("-p", "n=500", "-p", "day=2026-02-01", "-p", "model=tree", "-p", 'tags=["a"]', "-p", "note=null")
        launched = as_json(_launch(dev, "train", *given, "--json"))
        assert launched["url"] == f"{dev.url}/runs/{launched['run_id']}"
        assert dev.wait(launched["run_id"]) == "SUCCESS"
        values = {"n": 500, "day": "2026-02-01", "model": "tree", "tags": ["a"], "note": None}
        assert _config(dev, launched["run_id"])["train__notebook"]["config"] == values

    def test_one_with_several_assets_is_one_workflow(self, dev: DagsterDev) -> None:
        launched = as_json(_launch(dev, "sets", "-p", "n=5", "--json"))
        assert dev.wait(launched["run_id"]) == "SUCCESS"
        done = nb_dagster("history", "sets", "--json", cwd=dev.folder, home=dev.home)
        assert [each["status"] for each in json.loads(done.stdout)] == ["succeeded"]

    def test_watched_it_shows_the_log_and_ends_as_the_run(self, dev: DagsterDev) -> None:
        done = _launch(dev, "train", "-p", "n=7", "--watch")
        assert done.returncode == 0, done.stderr
        assert "größe 7\n" in done.stdout
        assert done.stdout.endswith(": succeeded\n")
        assert "notebook train, attempt 1: succeeded" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "status"),
        [(("train", "-p", "n=-1"), 1, "failed"), (("slow",), 3, "timed_out")],
    )
    def test_one_that_does_not_succeed_has_the_exit_code_of_run(
        self, dev: DagsterDev, arguments: tuple[str, ...], code: int, status: str
    ) -> None:
        done = _launch(dev, *arguments, "--watch", "--json")
        assert (done.returncode, as_json(done)["status"]) == (code, status)

    def test_one_that_is_cancelled_meanwhile_exits_with_130(self, dev: DagsterDev) -> None:
        watching = start("launch", "endless", "--watch", "--url", dev.url, cwd=dev.folder)
        assert watching.stdout is not None
        assert watching.stdout.readline() == "running\n"
        assert nb_dagster("cancel", "endless", cwd=dev.folder, home=dev.home).returncode == 0
        watching.communicate(timeout=30)
        assert watching.returncode == 130

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("train", "-p", "n=seven"), "train: parameter 'n' must be int, not the text 'seven'"),
            (
                ("train", "-p", "model=forest"),
                "parameter 'model' must be one of \"svc\", \"tree\", not the text 'forest'",
            ),
            (("train", "-p", "day=tomorrow"), "parameter 'day' must be date, not the text 'tomorrow'"),
            (("train", "-p", "nn=7"), "there is no parameter 'nn'; did you mean 'n'?"),
            (("quick", "-p", "n=7"), "quick: there is no parameter 'n', the notebook declares none"),
            (("two", "-p", "n=7"), "two has 2 steps that take parameters (first, second); -p is for"),
            (("trian",), "has no workflow 'trian'; did you mean 'train'?"),
        ],
    )
    def test_what_does_not_fit_is_refused_and_nothing_launched(
        self, dev: DagsterDev, arguments: tuple[str, ...], words: str
    ) -> None:
        done = _launch(dev, *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""

    def test_one_key_launches_one_run(self, dev: DagsterDev) -> None:
        first, again = (
            as_json(_launch(dev, "train", "-p", "n=9", "--idempotency-key", "k1", "--json")) for _ in range(2)
        )
        assert first == again
        other = _launch(dev, "train", "-p", "n=10", "--idempotency-key", "k1")
        assert other.returncode == 2
        assert f"the idempotency key 'k1' was used for run {first['run_id']} of other parameters" in other.stderr

    def test_dagsters_own_launch_works_too(self, dev: DagsterDev) -> None:
        command = ["job", "launch", "-w", "workspace.yaml", "-j", "quick"]
        done = dev.command(*command)
        assert done.returncode == 0, done.stderr
        with dg.DagsterInstance.from_config(str(dev.home)) as instance:
            run_id = instance.get_run_ids(dg.RunsFilter(job_name="quick"), limit=1)[0]
        assert dev.wait(run_id) == "SUCCESS"


@pytest.fixture(params=["server", "folder"])
def where(request: pytest.FixtureRequest, dev: DagsterDev) -> tuple[str, ...]:
    return ("--url", dev.url) if request.param == "server" else ()


def _schedule(dev: DagsterDev, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nb_dagster("schedule", *arguments, cwd=dev.folder, home=dev.home)


class TestSchedule:
    def test_they_are_listed_paused_and_resumed(self, dev: DagsterDev, where: tuple[str, ...]) -> None:
        assert _schedule(dev, "resume", "nightly", *where).stdout == "nightly is running\n"
        (schedule,) = json.loads(_schedule(dev, "list", "--json", *where).stdout)
        assert schedule.pop("next")[0].endswith(("T00:30:00+00:00", "T01:30:00+00:00"))
        assert schedule == {
            "name": "nightly",
            "job": "quick",
            "cron": "30 2 * * *",
            "every": None,
            "timezone": "Europe/Berlin",
            "status": "running",
        }
        paused = as_json(_schedule(dev, "pause", "nightly", "--json", *where))
        assert paused["status"] == "paused"
        assert "paused" in _schedule(dev, "list", *where).stdout

    def test_the_next_moments_are_shown(self, dev: DagsterDev, where: tuple[str, ...]) -> None:
        lines = _schedule(dev, "next", "nightly", "-n", "3", *where).stdout.splitlines()
        assert lines[0].startswith("nightly")
        assert len(lines) == 4

    def test_one_that_there_is_not_is_refused(self, dev: DagsterDev, where: tuple[str, ...]) -> None:
        done = _schedule(dev, "pause", "nigthly", *where)
        assert done.returncode == 2
        assert "has no schedule 'nigthly'; did you mean 'nightly'?" in done.stderr


def test_a_folder_without_a_workspace_is_refused(tmp_path: Path) -> None:
    done = nb_dagster("schedule", "list", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no workspace.yaml in this folder; give the address of a running Dagster with --url" in done.stderr
