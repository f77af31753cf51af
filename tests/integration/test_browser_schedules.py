"""Schedules and backfills of a project, seen and steered in Dagster's pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Locator, Page, expect

import nb_dagster as nbd
from tests.integration.browsing import in_browser
from tests.integration.dagster_dev import LOCATION, DagsterDev
from tests.notebooks import executed_notebooks, read, write_notebook
from tests.waiting import wait_until

pytestmark = in_browser

PROJECT = """\
workflows:
  nightly: {schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}}
  countries: {partitions: {values: [de, fr, it, pl], fills: {country: key}}}
"""
DEFINITIONS = """\
import nb_dagster as nbd

defs = nbd.NotebookProject.from_yaml("nb_dagster.yaml").build_defs()
"""
WORKSPACE = f"""\
load_from:
  - python_file: {{relative_path: definitions.py, location_name: {LOCATION}}}
"""
SCHEDULE_PAGE = f"/locations/{LOCATION}/schedules/nightly_schedule"
STATUS = """
query($selector: ScheduleSelector!) { scheduleOrError(scheduleSelector: $selector) {
  ... on Schedule { defaultStatus scheduleState { status } }
} }
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two notebooks."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in (("nb_dagster.yaml", PROJECT), ("definitions.py", DEFINITIONS), ("workspace.yaml", WORKSPACE)):
        (folder / name).write_text(text)
    write_notebook(folder / "nightly.ipynb", "1")
    write_notebook(folder / "countries.ipynb", "nb.output('said', country)", parameters="country: str = 'nowhere'")
    return folder


@pytest.fixture
def instance(dev: DagsterDev) -> Iterator[dg.DagsterInstance]:
    """What has run."""
    with dg.DagsterInstance.from_config(str(dev.home)) as instance:
        yield instance


def status(dev: DagsterDev) -> tuple[str, str]:
    """What the definition says of the schedule, and what holds."""
    selector = {
        "repositoryLocationName": LOCATION,
        "repositoryName": "__repository__",
        "scheduleName": "nightly_schedule",
    }
    found = dev.query(STATUS, selector=selector)["scheduleOrError"]
    return found["defaultStatus"], found["scheduleState"]["status"]


def switch(page: Page) -> Locator:
    """What turns the schedule on and off; its box is drawn by what is around it."""
    return page.get_by_role("checkbox")


def test_a_schedule_is_shown_running_with_its_cron_and_its_next_tick(page: Page) -> None:
    page.goto("/automation")
    expect(page.get_by_role("link", name="nightly_schedule").first).to_be_visible()
    page.goto(SCHEDULE_PAGE)
    body = page.locator("body")
    expect(switch(page)).to_be_checked()
    expect(body).to_contain_text("(0 6 * * *)")
    expect(body).to_contain_text("Europe/Berlin")
    expect(page.get_by_role("row", name="Next tick")).to_contain_text(re.compile(r"\w{3} \d+, 6:00:00 AM GMT\+[12]"))


def test_what_is_turned_off_in_the_ui_stays_off_when_the_definitions_are_loaded_again(
    page: Page, dev: DagsterDev
) -> None:
    page.goto(SCHEDULE_PAGE)
    expect(switch(page)).to_be_checked()
    switch(page).locator("xpath=..").click()
    expect(page.get_by_role("row", name="Next tick")).to_have_count(0)

    page.goto("/deployment/locations")
    with page.expect_response(lambda answer: "ReloadRepositoryLocation" in (answer.request.post_data or "")):
        page.get_by_role("button").filter(has_text=re.compile("^Reload$")).click()
    expect(page.get_by_text("Loaded", exact=True)).to_be_visible()

    page.goto(SCHEDULE_PAGE)
    expect(page.locator("body")).to_contain_text("(0 6 * * *)")
    expect(switch(page)).not_to_be_checked()
    assert status(dev) == ("RUNNING", "STOPPED")


def test_a_backfill_runs_each_chosen_partition_with_its_key_in_the_parameter(
    page: Page, dev: DagsterDev, instance: dg.DagsterInstance
) -> None:
    page.goto(f"/locations/{LOCATION}/jobs/countries/partitions")
    page.get_by_role("button", name="Materialize").click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize countries")
    dialog.get_by_text("Select a partition").click()
    for country in ("de", "it", "pl"):
        page.get_by_role("menuitem").filter(has=page.get_by_text(country, exact=True)).click()
    expect(dialog).to_contain_text("3 partitions")
    page.keyboard.press("Escape")  # closes the list
    page.get_by_role("button", name="Launch").last.click()

    past = nbd.History(instance)
    wait_until(lambda: len([run for run in past.runs("countries") if run.status == "succeeded"]) == 3, 150)
    tags = [run.tags["dagster/partition"] for run in instance.get_runs()]
    assert sorted(tags) == ["de", "it", "pl"]
    assert sorted(run.parameters["country"] for run in past.runs("countries")) == ["de", "it", "pl"]
    notebooks = [read(path) for path in executed_notebooks(dev.store, "countries")]
    assert sorted(each["metadata"]["nb_dagster"]["parameters"]["country"] for each in notebooks) == ["de", "it", "pl"]
