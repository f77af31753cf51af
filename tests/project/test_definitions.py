"""A project file becomes assets, jobs and schedules that run as it says."""

from __future__ import annotations

import datetime
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from nb_dagster import NotebookProject, RunRefused
from nb_dagster.schedules import firing
from tests.notebooks import run_metadata, write_notebook
from tests.project.projects import assets_of, definitions, materialize, run_job, upstreams, write_project


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_workflow_is_an_asset_and_a_job_of_its_name(tmp_path: Path) -> None:
    defs = definitions(write_project(tmp_path, "name: shop\nworkflows: {train: {params: {n: 3}}}"))
    (asset,) = assets_of(defs).values()
    assert (asset.key, asset.op.name, asset.group_names_by_key[asset.key]) == (
        dg.AssetKey("train"),
        "train__notebook",
        "shop",
    )
    result = run_job(defs, "train")
    assert result.output_for_node("train__notebook") == {"seen": [3, 0.5, None]}


def test_an_op_is_a_job_of_its_own(tmp_path: Path) -> None:
    defs = definitions(write_project(tmp_path, "workflows: {train: {kind: op, params: {n: 3}}}"))
    assert not assets_of(defs)
    result = run_job(defs, "train", run_config={"ops": {"train": {"config": {"share": 0.1}}}})
    assert result.output_for_node("train") == {"seen": [3, 0.1, None]}


def test_values_come_from_the_project_the_workflow_the_sweep_and_upstream(tmp_path: Path) -> None:
    text = """
parameters: {share: 0.1, who: all}
workflows:
  ingest: {outs: [rows]}
  split: {after: {ingest: rows}, outs: [left, right]}
  train: {for_each: {n: [2, 3]}, after: {split: {left: rows}}, outs: [seen]}
  report: {after: [train], params: {who: me}}
"""
    defs = definitions(write_project(tmp_path, text))
    result = materialize(defs)
    assert result.output_for_node("train_2__notebook", "seen") == [2, 0.1, [1]]
    assert result.output_for_node("train_3__notebook", "seen") == [3, 0.1, [1]]
    assert result.output_for_node("report__notebook") == {"said": ["None", "me", ["train_2", "train_3"]]}


def test_a_sweep_is_a_job_of_all_its_items_too(tmp_path: Path) -> None:
    defs = definitions(write_project(tmp_path, "workflows: {train: {for_each: [{n: 1, share: 0.2}, {n: 2}]}}"))
    job = defs.resolve_job_def("train")
    assert {node.name for node in job.graph.nodes} == {"train_1_0_2__notebook", "train_2__notebook"}
    assert {node.name for node in defs.resolve_job_def("train_2").graph.nodes} == {"train_2__notebook"}


def test_items_come_after_the_items_that_agree_with_them(tmp_path: Path) -> None:
    text = """
workflows:
  train: {for_each: {n: [1, 2]}}
  again: {notebook: train.ipynb, for_each: {n: [1, 2], share: [0.1, 0.2]}, after: [train]}
  report: {after: [again]}
"""
    before = upstreams(definitions(write_project(tmp_path, text)))
    assert before["again_1_0_1"] == before["again_1_0_2"] == {"train_1"}
    assert before["report"] == {"again_1_0_1", "again_1_0_2", "again_2_0_1", "again_2_0_2"}


def test_outputs_of_the_items_of_a_sweep_are_assets_of_their_own(tmp_path: Path) -> None:
    text = """
workflows:
  ingest: {outs: [rows]}
  split: {for_each: [{rows: [1, 2]}, {rows: [3, 4]}], outs: [left, right]}
  report: {after: [split_2]}
"""
    defs = definitions(write_project(tmp_path, text))
    assert upstreams(defs)["report"] == {"split_2__left", "split_2__right"}


def test_an_asset_made_elsewhere_is_named(tmp_path: Path) -> None:
    text = "external_assets: [raw/orders]\nworkflows: {train: {after: {raw/orders: rows}}}"
    defs = definitions(write_project(tmp_path, text))

    @dg.asset(key_prefix="raw")
    def orders() -> list[int]:
        return [7]

    result = materialize(dg.Definitions.merge(defs, dg.Definitions(assets=[orders])))
    assert result.output_for_node("train__notebook") == {"seen": [1, 0.5, [7]]}


def test_a_partition_fills_the_parameters_that_the_file_says(tmp_path: Path) -> None:
    text = "workflows: {report: {partitions: {every: daily, start: 2026-01-01, fills: {day: start, who: key}}}}"
    defs = definitions(write_project(tmp_path, text))
    result = materialize(defs, partition_key="2026-01-31")
    assert result.output_for_node("report__notebook") == {"said": ["2026-01-31", "2026-01-31", []]}


def test_a_launch_goes_before_the_partition(tmp_path: Path) -> None:
    defs = definitions(
        write_project(tmp_path, "workflows: {report: {partitions: {values: [de, fr], fills: {who: key}}}}")
    )
    result = run_job(
        defs,
        "report",
        partition_key="fr",
        run_config={"ops": {"report__notebook": {"config": {"day": "2026-01-01", "who": "me"}}}},
    )
    assert result.output_for_node("report__notebook") == {"said": ["2026-01-01", "me", []]}


def test_an_op_has_partitions_too(tmp_path: Path) -> None:
    text = "workflows: {report: {kind: op, partitions: {values: [de, fr], fills: {who: key}}}}"
    result = run_job(definitions(write_project(tmp_path, text)), "report", partition_key="fr")
    assert result.output_for_node("report") == {"said": ["None", "fr", []]}


def test_defaults_hold_where_a_workflow_says_nothing_and_names_are_joined(tmp_path: Path) -> None:
    text = """
defaults: {retries: {count: 2, delay: 5, backoff: exponential, on: [killed]}, pool: cpu, tags: {a: "1"}}
workflows:
  train: {tags: {b: 2}, owners: [team:data]}
  report: {retries: 0, pool: null}
"""
    made = assets_of(definitions(write_project(tmp_path, text)))
    train, report = made["train"], made["report"]
    assert train.op.retry_policy == dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
    assert (train.op.pool, report.op.pool, report.op.retry_policy) == ("cpu", None, dg.RetryPolicy(max_retries=0))
    assert train.tags_by_key[train.key].items() >= {"a": "1", "b": "2"}.items()
    assert train.owners_by_key[train.key] == ["team:data"]


def test_a_notebook_says_what_the_file_may_say_and_the_file_goes_first(tmp_path: Path) -> None:
    path = write_project(tmp_path, "workflows:\n  train:\n  report: {pool: mine}")
    _say(tmp_path / "notebooks/train.ipynb", {"params": {"n": 9}, "timeout": 30, "pool": "theirs"})
    _say(tmp_path / "notebooks/report.ipynb", {"pool": "theirs", "after": ["train"]})
    defs = definitions(path)
    assert upstreams(defs)["report"] == {"train"}
    assert {name: each.op.pool for name, each in assets_of(defs).items()} == {"train": "theirs", "report": "mine"}
    assert materialize(defs).output_for_node("train__notebook") == {"seen": [9, 0.5, None]}


def test_what_an_executed_notebook_says_of_its_run_is_no_setting(tmp_path: Path) -> None:
    path = write_project(tmp_path, "workflows: {train: }\nstore: kept")
    assert materialize(definitions(path)).success
    (executed,) = (each for each in (tmp_path / "kept").rglob("train.ipynb"))
    assert run_metadata(executed)["status"] == "succeeded"
    executed.replace(tmp_path / "notebooks/train.ipynb")
    assert definitions(path)


def test_a_folder_without_a_file_is_a_project(tmp_path: Path) -> None:
    (write_project(tmp_path, "")).unlink()
    _say(tmp_path / "notebooks/ingest.ipynb", {"schedule": "0 6 * * *"})
    (tmp_path / "notebooks/helpers.py").write_text("parameters = 3\n")
    (tmp_path / "notebooks/README.md").write_text("# Of parameters\n")
    (tmp_path / "notebooks/broken.md").write_text("---\nnb_dagster: [\n---\n")
    (tmp_path / "notebooks/percent.py").write_text('# %% tags=["parameters"]\nn = 1\n')
    defs = definitions(tmp_path)
    assert set(assets_of(defs)) == {"ingest", "split", "train", "report", "percent"}
    assert [each.name for each in defs.schedules or ()] == ["ingest_schedule"]


def test_the_project_of_the_current_folder_is_a_module_that_dagster_loads(tmp_path: Path) -> None:
    write_project(tmp_path, "workflows: {train: }")
    assert set(assets_of(importlib.import_module("nb_dagster.project.here").defs)) == {"train"}


def test_a_notebook_at_a_url_is_read_from_there(tmp_path: Path) -> None:
    from upath import UPath

    path = write_project(tmp_path, "")
    UPath("memory://shop/train.ipynb").write_bytes((tmp_path / "notebooks/train.ipynb").read_bytes())
    path.write_text("notebooks: memory://shop\nworkflows: {train: {params: {n: 4}}}\n", encoding="utf-8")
    assert materialize(definitions(path)).output_for_node("train__notebook") == {"seen": [4, 0.5, None]}


def test_secrets_environment_data_and_limits_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "correct horse")
    text = """
secrets: [DB_PASSWORD]
data: values
executor: {max_concurrent: 1}
workflows: {secretive: {environment: {COLOUR: 3}, cwd: ., timeout: 60, outs: [found]}}
"""
    path = write_project(tmp_path, text)
    code = "import os\nnb.output('found', [len(nb.secret('DB_PASSWORD')), os.environ['COLOUR'], os.path.exists('notebooks')])"
    write_notebook(tmp_path / "notebooks/secretive.ipynb", code)
    defs = definitions(path)
    assert materialize(defs).output_for_node("secretive__notebook", "found") == [13, "3", True]
    assert (tmp_path / "values/secretive").is_file()


def test_schedules_are_on_unless_they_or_their_workflow_are_not_enabled(tmp_path: Path) -> None:
    text = """
workflows:
  ingest: {schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}}
  train: {schedule: {cron: "@daily", enabled: false}}
  report: {schedule: "0 6 * * *", enabled: false}
"""
    schedules = definitions(write_project(tmp_path, text)).get_repository_def().schedule_defs
    assert {each.name: (each.default_status.value, each.execution_timezone) for each in schedules} == {
        "ingest_schedule": ("RUNNING", "Europe/Berlin"),
        "train_schedule": ("STOPPED", "UTC"),
        "report_schedule": ("STOPPED", "UTC"),
    }


@pytest.mark.parametrize(
    ("partitions", "keys"),
    [
        ("every: daily, start: 2026-01-01", ["2026-01-30"]),
        ("every: monthly, start: 2026-01-01", []),
        ("values: [de, fr]", ["de", "fr"]),
    ],
)
def test_a_schedule_runs_the_partition_that_has_just_ended_or_each_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: str, keys: list[str]
) -> None:
    text = f'workflows: {{report: {{schedule: "0 6 * * *", partitions: {{{partitions}}}}}}}'
    repository = definitions(write_project(tmp_path, text)).get_repository_def()
    moment = datetime.datetime(2026, 1, 31, 6, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(firing, "time", SimpleNamespace(time=moment.timestamp))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        built = dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository)
        with built as context:
            tick = repository.get_schedule_def("report_schedule").evaluate_tick(context)
    assert [each.partition_key for each in tick.run_requests or ()] == keys
    assert bool(keys) or "no partition has ended yet" in str(tick.skip_message)


def test_a_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RunRefused, match=r"nb_dagster.yaml:2:1: workflow: there is no such key; did you mean 'workflows'?"
    ):
        NotebookProject.from_yaml(write_project(tmp_path, "workflow: {}"))


def _say(notebook: Path, settings: dict[str, object]) -> None:
    content = json.loads(notebook.read_text())
    content["metadata"]["nb_dagster"] = settings
    notebook.write_text(json.dumps(content))
