"""A real browser, for tests of what people see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.integration.dagster_dev import DagsterDev

CHROMIUM = shutil.which("chromium") or shutil.which("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000
"""Milliseconds that a page has for what it shows; two cores are slow."""

in_browser = [
    pytest.mark.browser,
    pytest.mark.timeout(400),  # the first test waits for Dagster and for a whole pipeline
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium at /usr/bin/chromium, and none on the PATH"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, dev: DagsterDev) -> Iterator[Page]:
    """A page of somebody who has never been here."""
    expect.set_options(timeout=PATIENCE)
    context = browser.new_context(base_url=dev.url, viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def run_page(page: Page, run_id: str, *filters: str) -> None:
    """Open a run's page, with only those entries of its log that all filters let through."""
    page.goto(f"/runs/{run_id}?logs={quote('|'.join(filters))}")
