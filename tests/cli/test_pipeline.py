"""``nb-dagster run --pipeline``: several notebooks in one run, here, and how it says what became of each."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.cli.command import as_json, await_line, nb_dagster, start
from tests.notebooks import printed, read, run_metadata, write_notebook
from tests.waiting import wait_until

PROJECT = """
parameters: {region: eu, rate: 0.1}
workflows:
  ingest: {outs: [rows]}
  train: {after: {ingest: rows}, for_each: {n: [400, 500]}}
  summary: {after: [train]}
  daily: {partitions: {every: daily, start: 2026-01-01, fills: {day: start}}}
  endless: {kind: asset}
pipelines:
  nightly: {workflows: [ingest, train, summary], params: {region: us, rate: 0.2}}
  divided: [ingest, daily]
  long: [ingest, endless]
"""
TRAIN = """\
nb.metric("auc", n / 1000)
print(nb.context.ci)
print([n, rows, region, rate])"""
FAIL = """\
import os
if os.path.exists("bad") and n == 500:
    raise ValueError("no | such <b>column</b> `x`: " + nb.secret("TOKEN"))"""
ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "shop/forecast",
    "GITHUB_SHA": "1a2b3c4d",
    "GITHUB_RUN_ID": "77",
}
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose train_500 fails while there is a file bad."""
    folder = tmp_path_factory.mktemp("pipeline")
    write_notebook(
        folder / "ingest.ipynb", "nb.output('rows', [1, 2, 3])\n(nb.context.data / 'note').write_text('hello')"
    )
    write_notebook(
        folder / "train.ipynb", TRAIN, FAIL, parameters="n: int\nrows = None\nregion = 'none'\nrate: float = 0"
    )
    write_notebook(
        folder / "summary.ipynb", "nb.output('seen', [*nb.upstream, (nb.context.data / 'note').read_text()])"
    )
    write_notebook(
        folder / "daily.ipynb", "nb.output('day', str(day))", parameters="from datetime import date\nday: date"
    )
    write_notebook(folder / "endless.ipynb", "import time", "time.sleep(600)")
    (folder / "nb_dagster.yaml").write_text(f"secrets: [TOKEN]\n{PROJECT}", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True, scope="module")
def _in_actions(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ACTIONS, "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "TOKEN": TOKEN}.items():
            patch.setenv(name, value)
        yield


@pytest.mark.slow
class TestAFailureInTheMiddle:
    @pytest.fixture(scope="class")
    @classmethod
    def failed(cls, folder: Path) -> dict[str, Any]:
        (folder / "bad").touch()
        done = nb_dagster("run", "--pipeline", "nightly", "-p", "train_400.rate=0.3", "--json", cwd=folder)
        assert done.returncode == 1, done.stderr
        assert "train_500 failed: cell 4" in done.stderr
        return {**as_json(done), "summary_md": (folder / "summary.md").read_text(encoding="utf-8")}

    @pytest.fixture(scope="class")
    @classmethod
    def resumed(cls, folder: Path, failed: dict[str, Any]) -> dict[str, Any]:
        (folder / "bad").unlink()
        return as_json(
            nb_dagster("run", "--pipeline", "nightly", "--from-failure", failed["run_id"][:8], "--json", cwd=folder)
        )

    def test_each_step_says_how_it_ended_and_what_comes_after_is_not_run(self, failed: dict[str, Any]) -> None:
        assert {each["workflow"]: each["status"] for each in failed["steps"]} == {
            "ingest": "succeeded",
            "train_400": "succeeded",
            "train_500": "failed",
            "summary": "not_run",
        }
        assert failed["status"] == "failed"
        assert failed["reason"].startswith("train_500: cell 4 (import os), line 3: ValueError: no | such")

    def test_each_step_has_the_keys_of_a_run(self, failed: dict[str, Any]) -> None:
        ingest, *others = failed["steps"]
        assert [set(each) for each in others] == [set(ingest)] * 3
        assert (ingest["outputs"], ingest["after"], others[2]["after"]) == (
            {"rows": [1, 2, 3]},
            [],
            ["train_400", "train_500"],
        )

    def test_run_goes_before_workflow_before_pipeline_before_project(self, failed: dict[str, Any]) -> None:
        first, second = (each["parameters"] for each in failed["steps"][1:3])
        assert (first["region"], first["rate"], second["rate"]) == ("us", 0.3, 0.2)

    def test_the_run_and_its_notebooks_know_the_job_of_github_actions(
        self, folder: Path, failed: dict[str, Any]
    ) -> None:
        with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as instance:
            run = instance.get_run_by_id(failed["run_id"])
        assert run is not None
        assert run.tags["nb_dagster.ci/sha"] == "1a2b3c4d"
        said = printed(failed["steps"][1]["executed_notebook"])
        assert "'url': 'https://github.com/shop/forecast/actions/runs/77'" in said

    def test_the_summary_draws_the_steps_in_the_colour_of_their_end(self, failed: dict[str, Any]) -> None:
        (drawing,) = re.findall(r"```mermaid\n(.*?)```", failed["summary_md"], re.DOTALL)
        assert 's2["train_500<br/>failed"]:::failed' in drawing
        assert 's3["summary<br/>not_run"]:::not_run' in drawing
        assert set(re.findall(r"s\d --> s\d", drawing)) == {"s0 --> s1", "s0 --> s2", "s1 --> s3", "s2 --> s3"}

    def test_the_summary_has_a_row_for_each_step_and_nothing_in_it_is_markdown(self, failed: dict[str, Any]) -> None:
        rows = [line.split(" | ") for line in failed["summary_md"].splitlines() if line.startswith("| ")]
        assert [len(row) for row in rows] == [6] * 5
        assert rows[2][:2] + rows[2][3:4] == ["| train_400", "succeeded", "auc 0.4"]
        assert rows[2][5].startswith(".nb_dagster/notebooks/train_400/")
        assert rows[3][4].startswith("cell 4, line 3: ValueError: no &#124; such &#60;b&#62;column")

    def test_no_secret_is_in_the_summary(self, failed: dict[str, Any]) -> None:
        assert TOKEN not in str(failed)

    def test_from_failure_runs_what_had_not_succeeded_and_takes_the_values_of_the_rest(
        self, resumed: dict[str, Any], failed: dict[str, Any]
    ) -> None:
        train, summary = resumed["steps"]
        assert (resumed["status"], train["workflow"], train["parameters"]["rows"]) == (
            "succeeded",
            "train_500",
            [1, 2, 3],
        )
        assert set(summary["outputs"]["seen"]) == {"train_400", "train_500", "hello"}  # the folder is the first run's

    def test_the_history_says_from_which_run_it_goes_on(
        self, folder: Path, resumed: dict[str, Any], failed: dict[str, Any]
    ) -> None:
        with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as instance:
            run = instance.get_run_by_id(resumed["run_id"])
        assert run is not None
        assert run.parent_run_id == failed["run_id"]

    @pytest.mark.slow
    def test_a_run_that_has_not_failed_is_refused(self, folder: Path, resumed: dict[str, Any]) -> None:
        done = nb_dagster("run", "--pipeline", "nightly", "--from-failure", resumed["run_id"], cwd=folder)
        assert done.returncode == 2
        assert "has not failed (it is success)" in done.stderr


@pytest.mark.slow
def test_a_partition_is_run_and_people_see_a_line_for_each_notebook(folder: Path) -> None:
    done = nb_dagster("run", "--pipeline", "divided", "--partition", "2026-01-31", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert sorted(line.split(" (")[0] for line in done.stderr.splitlines()) == [
        "daily started",
        "daily succeeded",
        "ingest started",
        "ingest succeeded",
    ]
    (executed,) = re.findall(r"daily +succeeded +[\d.]+ s +(.*)", done.stdout)
    assert run_metadata(executed)["parameters"] == {"day": "2026-01-31"}


@pytest.mark.slow
def test_a_single_notebook_has_a_summary_too(folder: Path) -> None:
    assert nb_dagster("run", "ingest.ipynb", cwd=folder).returncode == 0
    said = (folder / "summary.md").read_text(encoding="utf-8").rpartition("\n## ")[2]
    assert said.startswith("ingest: succeeded")
    assert "mermaid" not in said


@pytest.mark.slow
def test_what_has_not_changed_is_skipped_on_request(tmp_path: Path) -> None:
    text = """
workflows:
  ingest: {outs: [rows], checks: [whole]}
  train: {after: {ingest: rows}, for_each: {n: [1, 2]}}
  summary: {after: [train]}
pipelines: {nightly: {workflows: [ingest, train, summary], params: {region: us}}}
"""
    (tmp_path / "nb_dagster.yaml").write_text(text, encoding="utf-8")
    write_notebook(tmp_path / "ingest.ipynb", "nb.output('rows', [1])\nnb.check('whole', True)")
    write_notebook(tmp_path / "train.ipynb", "print(rows)", parameters="n: int\nregion: str\nrows = None")
    write_notebook(tmp_path / "summary.ipynb", "1")

    def ran(*arguments: str) -> list[str]:
        done = nb_dagster("run", "--pipeline", "nightly", "--skip-unchanged", "--json", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [each["workflow"] for each in as_json(done)["steps"] if each["status"] == "succeeded"]

    assert ran() == ["ingest", "train_1", "train_2", "summary"]
    assert ran() == []
    assert ran("-p", "train_2.region=eu") == ["train_2", "summary"]  # the parameters
    write_notebook(tmp_path / "summary.ipynb", "2")
    assert ran("-p", "train_2.region=eu") == ["summary"]  # the code
    assert nb_dagster("run", "ingest", cwd=tmp_path).returncode == 0
    assert ran("-p", "train_2.region=eu") == ["train_1", "train_2", "summary"]  # what comes before


@pytest.mark.slow
def test_a_cancel_stops_the_notebook_and_what_comes_after(folder: Path) -> None:
    process = start("run", "--pipeline", "long", "--json", cwd=folder)
    await_line(process, "endless started")
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert '"status": "cancelled"' in stdout
    with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as instance:
        assert next(iter(instance.get_runs(limit=1))).status == dg.DagsterRunStatus.CANCELED


@pytest.mark.slow
def test_a_cancel_while_no_notebook_runs_is_one_too(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "print(before)", parameters="before = None")
    code = """
import dagster as dg, nb_dagster as nbd, pathlib, time
@dg.asset
def waits():
    pathlib.Path("started").touch()
    time.sleep(600)
a = nbd.notebook_asset("a.ipynb", ins={"before": waits})
defs = dg.Definitions(assets=[waits, a], jobs=[dg.define_asset_job("both")])
"""
    (tmp_path / "defs.py").write_text(code)
    (tmp_path / "workspace.yaml").write_text("load_from: [{python_file: defs.py}]\n", encoding="utf-8")
    process = start("run", "--pipeline", "both", "--json", cwd=tmp_path)
    wait_until((tmp_path / "started").exists, 60)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(stdout)["status"] == "cancelled"
    assert [each["workflow"] for each in json.loads(stdout)["steps"]] == ["waits", "a"]
    with dg.DagsterInstance.from_config(str(tmp_path / ".nb_dagster")) as instance:
        assert next(iter(instance.get_runs(limit=1))).status == dg.DagsterRunStatus.CANCELED


@pytest.mark.slow
def test_a_job_of_another_executor_in_the_workspace_is_a_pipeline(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "nb.output('a', 1)")
    write_notebook(tmp_path / "b.ipynb", "print(a)", parameters="a = None")
    code = """
import dagster as dg, nb_dagster as nbd
@dg.asset(deps=["pre__b"])
def last(): ...
a = nbd.notebook_asset("a.ipynb", outs=["a"])
b = nbd.notebook_asset("b.ipynb", name="b", key_prefix="pre", ins={"a": a})
@dg.asset(deps=[b])
def plain(): ...
defs = dg.Definitions(assets=[a, b, plain], jobs=[dg.define_asset_job("all_of_it")])
"""
    (tmp_path / "defs.py").write_text(code.replace('@dg.asset(deps=["pre__b"])\ndef last(): ...\n', ""))
    (tmp_path / "workspace.yaml").write_text("load_from: [{python_file: defs.py}]\n", encoding="utf-8")
    result = as_json(nb_dagster("run", "--pipeline", "all_of_it", "--json", cwd=tmp_path))
    assert {each["workflow"]: each["status"] for each in result["steps"]} == {
        "a": "succeeded",
        "pre__b": "succeeded",
        "plain": "succeeded",
    }
    assert read(result["steps"][1]["executed_notebook"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nighly"], "there is no pipeline 'nighly' in nb_dagster.yaml"),
        (["nightly", "-p", "rte=1"], "the pipeline nightly takes no parameter 'rte'; did you mean 'rate'?"),
        (["nightly", "-p", "trian_400.rate=1"], "there is no workflow 'trian_400'; did you mean 'train_400'?"),
        (["nightly", "-p", "rate=fast"], "parameter 'rate' must be float"),
        (["nightly", "--partition", "2026-01-31"], "nightly has no partitions"),
        (["divided"], "divided has partitions; say which one with --partition, such as 20"),
        (["divided", "--partition", "2025-01-01"], "divided has no partition '2025-01-01'"),
        (["divided", "--partition", "2026-01-31", "--skip-unchanged"], "--skip-unchanged is for pipelines without"),
        (["nightly", "--from-failure", "nightly", "--skip-unchanged"], "--from-failure goes on with the failed run as"),
        (["nightly", "--timeout", "3"], "--timeout is for a notebook"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(folder: Path, arguments: list[str], message: str) -> None:
    done = nb_dagster("run", "--pipeline", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
