"""A corpus of outputs that try to act, opened in a real browser: on no page does anything of it reach Dagster, or the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from nb_dagster.pages.normal import read_notebook
from nb_dagster.pages.page import static_page
from tests.pages.canary import Canary, start_canary
from tests.pages.payloads import payloads
from tests.pages.served import served
from tests.pages.stores import FOLDER, code, keep, notebook, output, raw

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TABS = 10
"""Pages that are open at once."""
SETTLED = 150
"""Milliseconds in which a payload acts that can; longer waits find no more."""


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with start_canary() as running:
        yield running


@pytest.fixture
def context(browser: Browser, canary: Canary) -> Iterator[BrowserContext]:
    """A browser that knows Dagster: a cookie and a value of its origin are there to be stolen."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(canary.url)
    page.evaluate("document.cookie = 'session=secret'; localStorage.setItem('secret', '1')")
    page.close()
    yield context
    context.close()


def open_all(
    context: BrowserContext, canary: Canary, address: Callable[[str], str], names: list[str]
) -> dict[str, Any]:
    """Open the page of each payload, click on it, and say what happened of what must not."""
    found: dict[str, list[str]] = {}
    canary.take()
    for start in range(0, len(names), TABS):
        tabs = {name: context.new_page() for name in names[start : start + TABS]}
        for name, tab in tabs.items():
            _watch(tab, found.setdefault(name, []))
            tab.goto(address(name))
        tab.wait_for_timeout(SETTLED)
        for tab in tabs.values():
            tab.mouse.click(640, 500)
        tab.wait_for_timeout(SETTLED)
        for name, tab in tabs.items():
            if tab.url != address(name):
                found[name].append(f"went to {tab.url}")
        for tab in context.pages:
            tab.close()
    for request in canary.take():
        found.setdefault(request.split("/")[1], []).append(request)
    return {name: fired for name, fired in found.items() if fired}


def _watch(page: Page, fired: list[str]) -> None:
    def dismiss(dialog: Dialog) -> None:
        fired.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("download", lambda download: fired.append(f"download {download.url}"))
    page.on("popup", lambda popup: fired.append(f"popup {popup.url}"))
    page.on("console", lambda said: fired.append(said.text) if said.text.startswith(("STOLEN", "RAN")) else None)


def without_scripts_that_only_run(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is left where running is all that a script was let do."""
    acted = {name: [each for each in fired if each != "RAN"] for name, fired in found.items()}
    return {name: fired for name, fired in acted.items() if fired}


def test_the_corpus_acts_where_nothing_holds_it(context: BrowserContext, canary: Canary) -> None:
    """Or the other tests would say nothing."""
    corpus = payloads(canary.url)
    html = {
        name: each["cells"][0]["outputs"][0]["data"]["text/html"]
        for name, each in corpus.items()
        if name.startswith(("script_", "html_"))
    }
    html = dict(list(html.items())[::2])
    canary.pages.update({f"/page/{name}": f"<body>{text}" for name, text in html.items()})
    found = open_all(context, canary, lambda name: f"{canary.url}/page/{name}", list(html))
    assert len(without_scripts_that_only_run(found)) > 0.7 * len(html)


def test_nothing_leaves_a_live_page(context: BrowserContext, canary: Canary, tmp_path: Path) -> None:
    corpus = payloads(canary.url)
    for name, content in corpus.items():
        keep(tmp_path, content, workflow=name)
    with served(tmp_path) as pages:
        found = open_all(context, canary, lambda name: f"{pages.url}/{name}/{FOLDER}/", list(corpus))
    assert without_scripts_that_only_run(found) == {}
    assert sum("RAN" in fired for fired in found.values()) > 40  # they did run, and came to nothing


@pytest.mark.parametrize("half", [0, 1], ids=["a file", "a page on Dagster's own origin"])
def test_nothing_runs_on_a_saved_page(half: int, context: BrowserContext, canary: Canary, tmp_path: Path) -> None:
    corpus = dict(list(payloads(canary.url).items())[half::2])
    for name, content in corpus.items():
        page = static_page(read_notebook("x.ipynb", raw(content)), name)
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
        canary.pages[f"/saved/{name}"] = page
    address = f"{canary.url}/saved/{{}}" if half else f"file://{tmp_path}/{{}}.html"
    assert open_all(context, canary, address.format, list(corpus)) == {}


def test_nothing_runs_on_a_page_with_scripts_off(context: BrowserContext, canary: Canary, tmp_path: Path) -> None:
    corpus = dict(list(payloads(canary.url).items())[::8])
    for name, content in corpus.items():
        keep(tmp_path, content, workflow=name)
    with served(tmp_path) as pages:
        found = open_all(context, canary, lambda name: f"{pages.url}/{name}/{FOLDER}/?scripts=off", list(corpus))
    assert found == {}


DRAW = """\
<div id="plot"></div>
<script>
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 10;
  canvas.getContext("2d").fillRect(0, 0, 10, 10);
  document.getElementById("plot").append(canvas, "drawn by " + new Function("return 'a script'")());
</script>
"""


def test_a_plot_still_draws_on_a_live_page(context: BrowserContext, tmp_path: Path) -> None:
    keep(
        tmp_path,
        notebook(
            code("draw()", output(text_html=DRAW)),
            code("", output(**{"application/javascript": "element.append('by JavaScript')"})),
        ),
    )
    with served(tmp_path) as pages:
        page = context.new_page()
        page.goto(f"{pages.url}/train/latest")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("drawn by a script")).to_be_visible()
        expect(frame.get_by_text("by JavaScript")).to_be_visible()
        canvas = frame.locator("canvas")
        assert canvas.evaluate("canvas => canvas.getContext('2d').getImageData(5, 5, 1, 1).data[3]") == 255
