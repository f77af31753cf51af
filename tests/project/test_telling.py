"""``notifications:`` and ``notify:``: who is told of what, as the project file says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from tests.notebooks import write_notebook
from tests.notifications.servers import Service, service
from tests.project.projects import definitions, write_project

TARGETS = "notifications: {targets: {team: 'env:HOOK'}, ui: 'http://127.0.0.1:3000'}"
Tell = Callable[[str, str], list[str]]


@pytest.fixture
def tell(tmp_path: Path, history: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Run a job of a project; the titles of what the target is sent."""

    def run(text: str, job: str) -> list[str]:
        with service() as webhook:
            monkeypatch.setenv("HOOK", webhook.url)
            return _run(tmp_path, history, text, job, webhook)

    return run


def _run(folder: Path, instance: dg.DagsterInstance, text: str, job: str, webhook: Service) -> list[str]:
    write_notebook(folder / "notebooks/failing.ipynb", "raise ValueError('boom')", parameters="n = 1")
    defs = definitions(write_project(folder, f"name: shop\nstore: {folder}/store\n{TARGETS}\n{text}"))
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("shop_notifications")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    cursor = None
    for is_over in (False, True):
        if is_over:
            defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
        with dg.build_sensor_context(instance, cursor, repository_def=repository) as context:
            cursor = sensor.evaluate_tick(context).cursor
    assert all("http://127.0.0.1:3000/runs/" in body["message"] for body in webhook.bodies())
    return sorted(webhook.titles())


def test_the_named_are_told_of_failures(tell: Tell) -> None:
    assert tell("workflows: {failing: {notify: team}, ingest: {notify: [team]}}", "failing") == ["failing failed"]


def test_success_is_told_where_it_is_said(tell: Tell) -> None:
    text = "workflows: {train: {notify: {success: [team]}}, ingest: {notify: {failure: [team]}}}"
    assert tell(text, "train") == ["train succeeded"]


def test_a_workflow_that_nobody_is_told_of_is_not_told(tell: Tell) -> None:
    assert tell("workflows: {failing: , train: {notify: {success: team}}}", "failing") == []


def test_defaults_hold_where_a_workflow_says_nothing(tell: Tell) -> None:
    text = "defaults: {notify: [team]}\nworkflows: {failing: , ingest: {notify: {success: [team]}}}"
    assert tell(text, "failing") == ["failing failed"]


def test_a_workflow_takes_the_default_away(tell: Tell) -> None:
    text = "defaults: {notify: [team]}\nworkflows: {failing: {notify: null}, ingest: }"
    assert tell(text, "failing") == []


def test_items_of_a_sweep_are_told_by_name(tell: Tell) -> None:
    text = "workflows: {failing: {for_each: {n: [1, 2]}, notify: [team]}}"
    assert tell(text, "failing_2") == ["failing_2 failed"]


def test_a_project_that_tells_nobody_has_no_sensor(tmp_path: Path) -> None:
    defs = definitions(write_project(tmp_path, f"{TARGETS}\nworkflows: {{ingest: {{notify: []}}}}"))
    assert defs.get_repository_def().sensor_defs == []


@pytest.mark.parametrize("where", ["json://127.0.0.1:8000/hook", "mailto://localhost?to=ops@example.com"])
def test_an_address_without_a_secret_may_stand_in_the_file(tmp_path: Path, where: str) -> None:
    text = f"notifications: {{targets: {{team: '{where}'}}}}\nworkflows: {{ingest: {{notify: [team]}}}}"
    (sensor,) = definitions(write_project(tmp_path, text)).get_repository_def().sensor_defs
    assert sensor.name.endswith("_notifications")
