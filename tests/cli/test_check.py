"""``nb-dagster check``: what is wrong with a project, before anything runs."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import as_json, nb_dagster
from tests.notebooks import write_notebook
from tests.project.projects import write_project

SOUND = """
name: shop
workflows:
  ingest: {schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}, outs: [rows]}
  train: {for_each: {n: [1, 2]}, after: {ingest: rows}}
pipelines: {refit: {workflows: [train], schedule: "30 3 * * *"}}
"""


def checked(folder: Path, text: str) -> dict[str, Any]:
    write_project(folder, text)
    done = nb_dagster("check", "--json", cwd=folder)
    found = as_json(done)
    assert done.returncode == (0 if found["ok"] else 2)
    return found


def messages(folder: Path, text: str, level: str) -> str:
    return "\n".join(each["message"] for each in checked(folder, text)["problems"] if each["level"] == level)


def test_a_sound_project_is_shown_with_the_next_five_times_of_its_schedules(tmp_path: Path) -> None:
    found = checked(tmp_path, SOUND)
    assert (found["ok"], found["problems"]) == (True, [])
    ingest, first, _ = found["workflows"]
    assert (ingest["name"], ingest["schedule"]["cron"]) == ("ingest", "0 6 * * *")
    times = [datetime.fromisoformat(each) for each in ingest["schedule"]["next"]]
    assert len(times) == 5
    assert {(each.hour, each.minute) for each in times} == {(6, 0)}
    assert (first["name"], first["params"], first["after"]) == ("train_1", {"n": 1}, ["ingest"])
    (pipeline,) = found["pipelines"]
    assert pipeline["workflows"] == ["train_1", "train_2"]
    assert pipeline["schedule"]["next"][0].endswith("T03:30:00+00:00")


EACH_FORM = """
workflows:
  ingest: {schedule: 45m}
  split: {params: {rows: []}, schedule: {every: 36h, start: 2026-01-01}}
  train: {schedule: {cron: "0 6 * * *", overlap: queue}}
  report: {schedule: {cron: "0 6 * * *", until: 2026-01-01}}
"""


def test_each_form_of_schedule_is_shown_with_its_next_times(tmp_path: Path) -> None:
    rows = [each["schedule"] for each in checked(tmp_path, EACH_FORM)["workflows"]]
    times = {row["name"]: [datetime.fromisoformat(each) for each in row["next"]] for row in rows}
    steps = {
        name: {(after - before) / timedelta(minutes=1) for before, after in itertools.pairwise(moments)}
        for name, moments in times.items()
    }
    assert steps == {"ingest_ticker": {45}, "split_ticker": {2160}, "train_ticker": {1440}, "report_schedule": set()}
    shown = nb_dagster("check", cwd=tmp_path).stdout
    assert "ingest_ticker (every 45m, UTC): 20" in shown
    assert "report_schedule (0 6 * * *, UTC): never again" in shown


def test_people_see_a_table_and_a_line_for_each_problem(tmp_path: Path) -> None:
    write_project(tmp_path, SOUND.replace("{n: [1, 2]}", "{m: [1, 2]}"))
    done = nb_dagster("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "train_1" in done.stdout
    assert "ingest_schedule (0 6 * * *, Europe/Berlin): 20" in done.stdout
    assert "workflows: 3, errors: 1, warnings: 0" in done.stdout
    assert done.stderr.startswith(
        "error: nb_dagster.yaml:6:22: workflows.train.for_each.m: notebooks/train.ipynb: there is"
    )


def test_a_problem_has_its_place_as_json_too(tmp_path: Path) -> None:
    (problem,) = checked(tmp_path, "workflows:\n  train: {retires: 3}")["problems"]
    assert problem == {
        "level": "error",
        "file": "nb_dagster.yaml",
        "line": 3,
        "column": 11,
        "key": "workflows.train.retires",
        "message": "there is no such key; did you mean 'retries'?",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workflows: {broken: }", "broken.ipynb is no notebook: not JSON"),
        ("workflows: {typo: }", "cell 2, line 3: the name 'rowz' is defined nowhere in the notebook"),
        ("workflows: {train: {kernel: julia-9}}", "there is no kernel 'julia-9' on this machine"),
        (
            'workflows: {split: {schedule: "0 6 * * *"}}',
            "it has no value for the required parameter 'rows' (list[int])",
        ),
        ("workflows: {train: {owners: [nobody]}}", "nobody"),
        ("workflows: {train: {after: [train]}}", "goes round in a circle"),
    ],
)
def test_what_could_not_run_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    write_notebook(tmp_path / "notebooks/typo.ipynb", "rows = 1\nrowz", parameters="n = 1\nprint(n)")
    (tmp_path / "notebooks/broken.ipynb").write_text("{")
    assert words in messages(tmp_path, text, "error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workflows: {split: }", "each launch has to give the parameter 'rows' (list[int])"),
        ("workflows: {idle: }", "the parameter 'n' is used nowhere in the notebook"),
    ],
)
def test_what_may_be_meant_so_is_a_warning(tmp_path: Path, text: str, words: str) -> None:
    write_notebook(tmp_path / "notebooks/idle.ipynb", "1", parameters="n = 1")
    assert words in messages(tmp_path, text, "warning")


def test_a_folder_without_a_file_is_checked_too(tmp_path: Path) -> None:
    write_project(tmp_path, "").unlink()
    found = as_json(nb_dagster("check", "notebooks", "--json", cwd=tmp_path))
    assert [each["name"] for each in found["workflows"]] == ["report", "split", "train"]


@pytest.mark.slow
def test_a_workflow_of_the_project_file_runs_by_its_name(tmp_path: Path) -> None:
    write_project(tmp_path, SOUND)
    assert as_json(nb_dagster("run", "ingest", "--json", cwd=tmp_path))["status"] == "succeeded"
    result = as_json(nb_dagster("run", "train_2", "-p", "share=0.1", "--json", cwd=tmp_path))
    assert result["outputs"] == {"seen": [2, 0.1, [1, 2, 3]]}
    done = nb_dagster("run", "trian", cwd=tmp_path)
    assert done.returncode == 2
    assert "no workflow of nb_dagster.yaml (it has ingest, train_1, train_2)" in done.stderr


def test_a_project_that_does_not_load_runs_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, "workflow: {}")
    done = nb_dagster("run", "train", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "nb-dagster: nb_dagster.yaml:2:1: workflow: there is no such key; did you mean 'workflows'?\n"
