"""A pipeline of the project file is a job of several workflows, with values and a schedule of its own."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from nb_dagster import NotebookProject, RunRefused
from nb_dagster.project.check import problems_of
from nb_dagster.schedules import firing
from tests.notebooks import write_notebook
from tests.project.projects import definitions, run_job, write_project


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_pipeline_is_a_job_of_its_workflows_sweeps_included(tmp_path: Path) -> None:
    text = """
workflows:
  ingest: {outs: [rows]}
  train: {for_each: {n: [1, 2]}, after: {ingest: rows}}
  report: {after: [train]}
pipelines:
  nightly: [ingest, train]
  short: {workflows: [train_2, report], description: The short one., tags: {team: data}}
"""
    defs = definitions(write_project(tmp_path, text))
    jobs = {name: defs.resolve_job_def(name) for name in ("nightly", "short")}
    assert {name: {each.name for each in job.graph.nodes} for name, job in jobs.items()} == {
        "nightly": {"ingest__notebook", "train_1__notebook", "train_2__notebook"},
        "short": {"train_2__notebook", "report__notebook"},
    }
    assert (jobs["short"].description, jobs["short"].tags["team"]) == ("The short one.", "data")
    result = run_job(defs, "nightly")
    assert result.output_for_node("train_2__notebook") == {"seen": [2, 0.5, [1, 2, 3]]}


def test_its_values_go_before_those_of_the_project_and_behind_those_of_a_workflow(tmp_path: Path) -> None:
    text = """
parameters: {n: 2, share: 0.2, who: project}
workflows:
  train: {params: {share: 0.9}}
  report: {partitions: {values: [de, fr], fills: {who: key}}}
pipelines:
  nightly: {workflows: [train, report], params: {n: 3, share: 0.3, who: pipeline}}
"""
    defs = definitions(write_project(tmp_path, text))
    whole = run_job(defs, "nightly", partition_key="fr")
    assert whole.output_for_node("train__notebook") == {"seen": [3, 0.9, None]}
    assert whole.output_for_node("report__notebook") == {"said": ["None", "fr", []]}
    alone = run_job(defs, "train")
    assert alone.output_for_node("train__notebook") == {"seen": [2, 0.9, None]}


def test_its_schedule_runs_it_and_of_partitions_the_one_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
workflows:
  train:
  report: {partitions: {every: daily, start: 2026-01-01, fills: {day: start}}}
pipelines:
  hourly: {workflows: [train], schedule: "0 * * * *"}
  nightly: {workflows: [train, report], schedule: {cron: "0 6 * * *", timezone: Europe/Berlin, enabled: false}}
"""
    repository = definitions(write_project(tmp_path, text)).get_repository_def()
    assert {each.name: each.default_status.value for each in repository.schedule_defs} == {
        "hourly_schedule": "RUNNING",
        "nightly_schedule": "STOPPED",
    }
    schedule = repository.get_schedule_def("nightly_schedule")
    moment = datetime.datetime(2026, 1, 31, 6, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(firing, "time", SimpleNamespace(time=moment.timestamp))
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository) as context,
    ):
        assert [each.partition_key for each in schedule.evaluate_tick(context).run_requests or ()] == ["2026-01-30"]


@pytest.mark.parametrize(
    ("pipelines", "message"),
    [
        ("{nightly: [trian]}", "pipelines.nightly.workflows[0]: there is no workflow 'trian'; did you mean 'train'?"),
        ("{nightly: {workflows: [hello]}}", "hello is an op, a job of its own, and a pipeline is made of assets"),
        ("{train: [train]}", "pipelines.train: a workflow is called train too; give one another name"),
        ("{nightly: {workflows: []}}", "pipelines.nightly.workflows: expected"),
        ("{nightly: {workflows: [train], params: {m: 1}}}", "params.m: none of its workflows declares it"),
        ("{nightly: {workflows: [train], params: {n: x}}}", "params.n: "),
        (
            "{nightly: {workflows: [train], retires: 2}}",
            "nb_dagster.yaml:8:43: pipelines.nightly.retires: there is no such key",
        ),
        ("{nightly: {workflows: [daily, weekly]}}", "daily and weekly have different partitions"),
        (
            "{nightly: {workflows: [needs], schedule: '@daily'}}",
            "needs has no value for the required parameter 'n' (int)",
        ),
    ],
)
def test_what_is_wrong_with_a_pipeline_is_said(tmp_path: Path, pipelines: str, message: str) -> None:
    text = f"""workflows:
  train:
  hello: {{kind: op, notebook: ingest.ipynb}}
  daily: {{notebook: report.ipynb, partitions: {{every: daily, start: 2026-01-01}}}}
  weekly: {{notebook: report.ipynb, partitions: {{every: weekly, start: 2026-01-01}}, params: {{who: me}}}}
pipelines: {pipelines}
"""
    path = write_project(tmp_path, text.replace("  daily:", "  needs:\n  daily:"))
    write_notebook(tmp_path / "notebooks/needs.ipynb", "print(n)", parameters="n: int")
    assert message in "\n".join(_problems(path)), _problems(path)


def test_a_value_of_the_pipeline_is_one_for_its_schedule(tmp_path: Path) -> None:
    text = "workflows: {needs: }\npipelines: {nightly: {workflows: [needs], params: {n: 1}, schedule: '@daily'}}"
    path = write_project(tmp_path, text)
    write_notebook(tmp_path / "notebooks/needs.ipynb", "print(n)", parameters="n: int")
    assert not [each for each in _problems(path) if "pipelines" in each]


def _problems(path: Path) -> list[str]:
    try:
        return [str(each) for each in problems_of(NotebookProject.from_yaml(path).plan())]
    except RunRefused as refused:
        return [str(refused)]
