"""``trigger: {upstream: …}`` and the words of Dagster's automation."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.project.projects import assets_of, definitions, write_project

UPSTREAM = """
workflows:
  ingest: {outs: [rows]}
  split: {after: {ingest: rows}, outs: [left, right]}
  train: {after: {split: {left: rows}, ingest: }, trigger: {upstream: [ingest]}}
"""


class Automation:
    """The conditions of a project, and a history."""

    def __init__(self, path: Path, history: dg.DagsterInstance) -> None:
        self.definitions = definitions(path)
        (self.sensor,) = self.definitions.get_repository_def().sensor_defs
        self.instance = history
        self.cursor: Any = None

    def materialize(self, *keys: str) -> None:
        for key in keys:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key))

    def tick(self, time: datetime.datetime | None = None) -> set[str]:
        """The assets that are to be materialized."""
        done = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            asset_selection=self.sensor.asset_selection,
            cursor=self.cursor,
            evaluation_time=time,
        )
        self.cursor = done.cursor
        return {each.key.to_user_string() for each in done.results if each.true_subset.size}


def test_an_update_of_the_named_upstream_starts_it_and_of_others_does_not(
    tmp_path: Path, history: dg.DagsterInstance
) -> None:
    automation = Automation(write_project(tmp_path, UPSTREAM), history)
    automation.materialize("ingest", "left", "right")
    assert automation.tick() == set()
    automation.materialize("left")
    assert automation.tick() == set()
    automation.materialize("ingest")
    assert automation.tick() == {"train"}
    assert automation.tick() == set()


def test_an_update_right_after_the_look_that_starts_it_is_not_lost(tmp_path: Path, history: dg.DagsterInstance) -> None:
    automation = Automation(write_project(tmp_path, UPSTREAM), history)
    automation.materialize("ingest", "left", "right")
    automation.tick()
    automation.materialize("ingest")
    assert automation.tick() == {"train"}
    automation.materialize("ingest")
    automation.materialize("train")  # of the first, which ends after it
    assert [automation.tick() for _ in range(2)] == [{"train"}, set()]


def test_it_waits_until_all_upstreams_are_there(tmp_path: Path, history: dg.DagsterInstance) -> None:
    automation = Automation(write_project(tmp_path, UPSTREAM), history)
    automation.tick()
    automation.materialize("ingest")
    assert automation.tick() == set()
    automation.materialize("left", "right")
    assert automation.tick() == {"train"}


def test_an_upstream_is_a_sweep_or_an_item_of_it(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = """
workflows:
  train: {for_each: {n: [1, 2]}}
  report: {after: [train], trigger: {upstream: [train]}}
  again: {notebook: report.ipynb, after: [train_1, train_2], trigger: {upstream: [train_2]}}
"""
    automation = Automation(write_project(tmp_path, text), history)
    automation.materialize("train_1", "train_2")
    automation.tick()
    automation.materialize("train_1")
    assert automation.tick() == {"report"}
    automation.materialize("train_2")
    assert automation.tick() == {"report", "again"}


def test_eager_runs_it_after_an_update_of_any_upstream(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = "workflows: {ingest: {outs: [rows]}, train: {after: {ingest: rows}, trigger: eager}}"
    automation = Automation(write_project(tmp_path, text), history)
    assert automation.tick() == set()
    automation.materialize("ingest")
    assert automation.tick() == {"train"}


def test_on_missing_runs_each_new_partition(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = "workflows: {report: {partitions: {every: daily, start: 2026-01-01}, trigger: on_missing}}"
    automation = Automation(write_project(tmp_path, text), history)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert automation.tick(now) == set()
    assert automation.tick(now + datetime.timedelta(days=1)) == {"report"}


def test_on_cron_waits_for_the_upstreams_after_its_time(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = """
workflows:
  ingest: {outs: [rows]}
  train:
    after: {ingest: rows}
    trigger: {automation: on_cron, cron: "0 6 * * *", timezone: Europe/Berlin}
"""
    automation = Automation(write_project(tmp_path, text), history)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert automation.tick(now - datetime.timedelta(days=2)) == set()
    assert automation.tick(now) == set()
    automation.materialize("ingest")
    assert automation.tick(now + datetime.timedelta(seconds=60)) == {"train"}


def test_the_sensor_of_a_projects_conditions_is_on_and_has_those_alone(tmp_path: Path) -> None:
    text = """
name: shop
workflows:
  ingest: {outs: [rows]}
  train: {after: {ingest: rows}, trigger: eager}
  report: {after: [train], trigger: {upstream: [train], enabled: false}}
  split: {after: {ingest: rows}, outs: [left, right], enabled: false, trigger: eager}
"""
    defs = definitions(write_project(tmp_path, text))
    (sensor,) = defs.get_repository_def().sensor_defs
    assert (sensor.name, sensor.default_status.value) == ("shop_automation", "RUNNING")
    assert {name for name, each in assets_of(defs).items() if any(each.automation_conditions_by_key.values())} == {
        "train"
    }


@pytest.mark.parametrize("text", ["workflows: {ingest: }", "workflows: {ingest: {enabled: false, trigger: eager}}"])
def test_a_project_without_a_trigger_has_no_sensor(tmp_path: Path, text: str) -> None:
    assert definitions(write_project(tmp_path, text)).get_repository_def().sensor_defs == []
