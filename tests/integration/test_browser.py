"""What a person sees of notebooks in Dagster's pages, through a real browser on a real Dagster."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.integration.browsing import in_browser, run_page
from tests.integration.dagster_dev import LOCATION, DagsterDev
from tests.notebooks import write_notebook

PICTURES = Path(__file__).parent.parent.parent / "docs" / "images"

NUMBERS = (400, 500, 600)
EDGES = {
    ("ingest", "eda"),
    ("ingest", "train_set"),
    ("ingest", "test_set"),
    *(("train_set", f"train_{n}") for n in NUMBERS),
    *(("test_set", f"benchmark_{n}") for n in NUMBERS),
    *((f"train_{n}", f"benchmark_{n}") for n in NUMBERS),
    *((f"benchmark_{n}", "summary") for n in NUMBERS),
    ("summary", "leaderboard"),
}
ASSETS = {asset for edge in EDGES for asset in edge}

GAINS = "gains = {share: gain(series) for share, series in prices.items()}"
GAINS_CELL = 5
PRICES_JOB = """
defs = dg.Definitions.merge(
    defs, dg.Definitions(jobs=[nbd.notebook_job("prices", [Path(__file__).parent / "notebooks/prices.ipynb"])])
)
"""

pytestmark = in_browser


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    """The example with one more job, whose notebook fails."""
    notebooks = project / "example_project" / "notebooks"
    write_notebook(
        notebooks / "prices.ipynb",
        "",
        'prices = {"ACME": [102.5, 104.1, 99.8], "NADA": [0.0, 0.0, 0.0]}\nprint(len(prices), "shares until", day)',
        "def gain(series):\n    return series[-1] / series[0] - 1",
        f"{GAINS}\ngains",
        "print(max(gains, key=gains.get))",
        parameters='day: str = "2026-11-20"  # the last day',
        text="# Prices\n\nHow much did each share gain since the first day?",
    )
    with open(project / "example_project" / "definitions.py", "a") as definitions:
        definitions.write(PRICES_JOB)
    return project


@pytest.fixture(scope="module")
def digits(dev: DagsterDev) -> str:
    """A run of the whole pipeline, whose ingest fails, hangs and then succeeds."""
    run_id = dev.run("digits")
    assert dev.status(run_id) == "SUCCESS"
    return run_id


@pytest.fixture(scope="module")
def failed(dev: DagsterDev) -> str:
    """A run whose notebook failed."""
    run_id = dev.run("prices")
    assert dev.status(run_id) == "FAILURE"
    return run_id


def picture(page: Page, name: str, height: int = 900) -> None:
    """Keep what is on the page for the documentation, where that is asked for."""
    if os.environ.get("NB_DAGSTER_SCREENSHOTS") == "1":
        page.set_viewport_size({"width": 1400, "height": height})
        page.mouse.move(0, 0)
        page.wait_for_timeout(1500)  # until nothing moves any more
        page.screenshot(path=PICTURES / f"{name}.png")


def opened(link: Locator) -> Page:
    """The page that a click on a link opens beside this one."""
    with link.page.expect_popup() as popup:
        link.click()
    popup.value.set_viewport_size({"width": 1400, "height": 900})
    return popup.value


def widths(markers: Locator) -> list[float]:
    found: list[float] = markers.evaluate_all("each => each.map(one => one.getBoundingClientRect().width)")
    return found


def drawn_edges(page: Page) -> set[tuple[str, str]]:
    """The edges of the asset graph as they are drawn: from the right side of one asset to the left side of another."""
    found: list[list[str]] = page.locator("svg", has=page.locator("foreignObject")).last.evaluate(
        """graph => {
          const assets = [...graph.querySelectorAll("foreignObject")].map(asset => ({
            name: asset.textContent.match(/[a-z]+(_[a-z0-9]+)?/)[0],
            left: asset.x.baseVal.value, right: asset.x.baseVal.value + asset.width.baseVal.value,
            middle: asset.y.baseVal.value + asset.height.baseVal.value / 2,
          }));
          const nearest = (point, side) => assets
            .map(asset => [Math.hypot(asset[side] - point.x, asset.middle - point.y), asset.name])
            .sort((one, other) => one[0] - other[0])[0];
          return [...graph.querySelectorAll("path[marker-end]")].map(edge => {
            const [from, to] = [edge.getPointAtLength(0), edge.getPointAtLength(edge.getTotalLength())];
            return [nearest(from, "right"), nearest(to, "left")];
          }).filter(ends => ends.every(([distance]) => distance < 20)).map(ends => ends.map(([, name]) => name));
        }"""
    )
    return {(start, end) for start, end in found}


def test_the_asset_graph_shows_every_asset_and_every_edge_of_the_pipeline(page: Page, digits: str) -> None:
    page.goto("/asset-groups")
    for asset in ASSETS:
        expect(page.locator("foreignObject").get_by_text(asset, exact=True)).to_be_visible()
    expect(page.locator("path[marker-end]")).to_have_count(len(EDGES))
    assert drawn_edges(page) == EDGES
    page.get_by_text("Hide navigation").click()
    page.set_viewport_size({"width": 1400, "height": 600})
    page.reload()  # draws it as large as there is room
    expect(page.locator("foreignObject").get_by_text("leaderboard", exact=True)).to_be_visible()
    picture(page, "asset-graph", height=600)


def test_the_launchpad_shows_types_and_defaults_and_refuses_what_does_not_fit(page: Page) -> None:
    page.goto(f"/locations/{LOCATION}/jobs/welcome/playground")
    editor = page.locator(".CodeMirror", has_text="welcome:")
    launch = page.get_by_role("button", name="Launch Run")
    expect(editor).to_contain_text("who: world")
    expect(editor).to_contain_text("times: 3")
    expect(page.get_by_text("No errors")).to_be_visible()
    expect(launch).to_be_enabled()

    editor.get_by_text("3", exact=True).last.dblclick()  # the first is a line number
    for shown in ("how often [int]", "times?: Int", "whom to greet [str]", "who?: String"):
        expect(page.locator("body")).to_contain_text(shown)
    page.keyboard.insert_text('"x"')

    refusal = re.compile(r'config:times\. Value "x" .* is not valid for expected type "Int"')
    expect(page.get_by_text(refusal).first).to_be_visible()  # a second one is beside the line, under the mouse
    expect(launch).to_be_disabled()
    picture(page, "launchpad", height=760)


def test_a_run_launched_from_the_launchpad_gets_what_was_typed_there(page: Page, dev: DagsterDev) -> None:
    page.goto(f"/locations/{LOCATION}/jobs/welcome/playground")
    editor = page.locator(".CodeMirror", has_text="welcome:")
    editor.get_by_text("world", exact=True).dblclick()
    page.keyboard.insert_text("Ada")
    expect(editor).to_contain_text("who: Ada")
    expect(page.get_by_text("No errors")).to_be_visible()
    page.get_by_role("button", name="Launch Run").click()

    page.wait_for_url(re.compile("/runs/[0-9a-f-]{36}"))
    assert dev.wait(page.url.split("/runs/")[1][:36]) == "SUCCESS"
    expect(page.get_by_text("Hello, Ada! Hello, Ada! Hello, Ada!").first).to_be_visible()


def test_the_executed_notebook_is_one_click_from_the_page_of_its_asset(page: Page, digits: str) -> None:
    page.goto("/assets/benchmark_600")
    notebook = opened(page.get_by_role("link", name="benchmark.view.ipynb"))
    body = notebook.locator("body")
    expect(body).to_contain_text("Tests the model that was trained on n digits")
    expect(body).to_contain_text("n = 600")
    expect(body).to_contain_text("better_than_chance: passed")
    expect(notebook.locator("img").first).to_be_visible()
    notebook.get_by_role("heading", name="ROC curves").evaluate(
        "heading => window.scrollTo(0, heading.getBoundingClientRect().top + window.scrollY - 20)"
    )
    picture(notebook, "executed-notebook", height=1040)


def test_the_page_of_a_run_links_the_executed_notebook_of_each_attempt(page: Page, digits: str) -> None:
    run_page(page, digits, "notebook ingest, attempt")
    attempts = page.get_by_role("link", name="ingest.view.ipynb")
    expect(attempts).to_have_count(3)

    failure = opened(attempts.nth(0)).locator("body")
    expect(failure).to_contain_text("if flaky and attempt == 1:")
    expect(failure).to_contain_text("ConnectionError: the data lake did not answer")
    expect(failure).not_to_contain_text("128.0")  # the digits, which it never came to

    success = opened(attempts.nth(2)).locator("body")
    expect(success).to_contain_text("no_missing_pixels: passed")
    expect(success).not_to_contain_text("ConnectionError: the data lake did not answer")


def test_the_page_of_a_failed_run_says_which_cell_failed_and_with_which_error(page: Page, failed: str) -> None:
    run_page(page, failed, "step:prices", "type:ENGINE_EVENT")
    expect(page.get_by_text(f"cell {GAINS_CELL}/6 failed in ")).to_be_visible()
    expect(
        page.get_by_text(f"notebook prices, attempt 1: failed: cell {GAINS_CELL} ({GAINS}), line 1")
    ).to_contain_text("ZeroDivisionError: float division by zero")
    expect(page.get_by_text(f"{GAINS_CELL}: {GAINS}", exact=True)).to_be_visible()
    picture(page, "failed-run")

    page.get_by_text("[Show Markdown]").click()
    traceback = page.get_by_role("dialog")
    expect(traceback).to_contain_text(
        re.compile(rf"Cell In\[{GAINS_CELL}\], line 1.*in gain\(series\).*ZeroDivisionError", re.DOTALL)
    )
    for noise in ("\x1b", "site-packages", "ipykernel"):
        expect(traceback).not_to_contain_text(noise)


def test_a_metric_is_plotted_and_a_figure_is_shown_on_the_page_of_the_asset(page: Page, digits: str) -> None:
    page.goto("/assets/benchmark_600")
    expect(page.get_by_role("row", name=re.compile(r"^auc\b(?!_)"))).to_contain_text(re.compile(r"0\.9\d+"))

    page.get_by_role("row", name=re.compile("^roc_curves")).get_by_text("[Show Markdown]").click()
    thumbnail = page.get_by_role("dialog").get_by_role("img", name="roc_curves")
    expect(thumbnail).to_be_visible()
    assert thumbnail.evaluate("picture => picture.naturalWidth") == 480
    page.get_by_role("dialog").get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("auc", exact=True)).to_be_visible()
    plot = page.locator("canvas").first
    expect(plot).to_be_visible()
    page.wait_for_function(
        "plot => plot.getContext('2d').getImageData(0, 0, plot.width, plot.height).data.some(value => value)",
        arg=plot.element_handle(),
    )


def test_the_gantt_chart_marks_a_slow_cell_with_the_time_it_took(page: Page, digits: str) -> None:
    page.goto(f"/runs/{digits}")
    page.locator("button", has=page.get_by_label("expand_arrows")).first.click()  # the chart over the whole page
    hung = page.locator('[data-tooltip="ingest__notebook:cell 5"]')
    expect(hung.first).to_be_visible()  # in the second attempt; in the third it is quick
    others = page.locator('[data-tooltip^="ingest__notebook:cell "]:not([data-tooltip="ingest__notebook:cell 5"])')
    assert max(widths(hung)) > 3 * max(widths(others), default=0)
    picture(page, "run-gantt", height=520)


def test_the_gantt_chart_draws_the_start_of_a_step_no_longer_than_it_took(page: Page, digits: str) -> None:
    page.goto(f"/runs/{digits}")
    hung = page.locator('[data-tooltip="ingest__notebook:cell 5"]')
    expect(hung.first).to_be_visible()
    started = page.locator('[data-tooltip="ingest__notebook:step_process_start"]')
    assert max(widths(started), default=0) < max(widths(hung))


def test_the_source_notebook_is_one_click_from_the_asset_graph_and_from_the_op(page: Page) -> None:
    page.goto("/asset-groups")
    page.locator("foreignObject").get_by_text("benchmark_600", exact=True).click()
    page.get_by_role("button", name="View Source Notebook").click()
    shown = page.frame_locator("iframe").locator("body")
    expect(shown).to_contain_text("Tests the model that was trained on n digits")
    expect(shown).to_contain_text('nb.figure("roc_curves", fig)')

    page.goto(f"/locations/{LOCATION}/jobs/welcome/welcome")
    page.get_by_role("button", name="View Source Notebook").click()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("the smallest useful notebook")
