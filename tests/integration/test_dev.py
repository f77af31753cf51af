"""``nb-dagster dev``: Dagster's UI and the pages that it links to, started by one command, gone together."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests.integration.browsing import PATIENCE, run_page
from tests.integration.dagster_dev import STOPPED_IN, DagsterDev, dagster_dev, free_port, processes_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def pages() -> int:
    """The port of the pages."""
    return free_port()


@pytest.fixture
def dev(project: Path, tmp_path: Path, pages: int) -> Iterator[DagsterDev]:
    with dagster_dev(project, tmp_path, pages) as running:
        yield running


def test_the_link_in_dagster_leads_to_the_page_and_nothing_is_left_behind(
    dev: DagsterDev, pages: int, browser: Browser
) -> None:
    run_id = dev.run("welcome", {"welcome": {"who": "Ada"}})
    context = browser.new_context(base_url=dev.url)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    run_page(page, run_id, "notebook welcome, attempt")
    link = page.get_by_role("link", name=f"http://127.0.0.1:{pages}/welcome/")
    with page.expect_popup() as popup:
        link.click()
    expect(popup.value).to_have_url(re.compile(f"^http://127.0.0.1:{pages}/welcome/.*-{run_id[:8]}-1/$"))
    expect(popup.value.get_by_role("heading", name="welcome")).to_contain_text("succeeded")
    expect(popup.value.frame_locator("iframe").get_by_text("Hello, Ada!").first).to_be_visible()
    context.close()

    (main,) = (each for each in processes_of(dev.home) if each.parent() == psutil.Process())
    main.terminate()
    give_up = time.monotonic() + STOPPED_IN
    while left := processes_of(dev.home):
        assert time.monotonic() < give_up, left
        time.sleep(0.2)
