"""The copy for Dagster's own viewer shows text, tables and pictures, and holds nothing that acts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import nb_dagster as nbd
from nb_dagster.store.view import safe_notebook, view_of
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import read, write_notebook

HOSTILE = """\
from IPython.display import HTML, SVG, Javascript, Markdown, display
import pandas as pd
display(HTML('<b onclick="evil()">bold</b><script>evil()</script><a href="javascript:evil()">link</a>'))
display(HTML('<img src=x onerror=evil()><iframe src="https://evil"></iframe><form action="/graphql"><input></form>'))
display(HTML('<style>body{display:none}</style><a href="https://good">good</a>'))
display(SVG('<svg xmlns="http://www.w3.org/2000/svg"><script>evil()</script></svg>'))
display(Javascript("evil()"))
display(Markdown('[click](JavaScript:evil()) <script>evil()</script> **strong**'))
display({"text/html": "<script>evil()</script>", "application/vnd.jupyter.widget-view+json": {"model_id": "x"}}, raw=True)
display({"application/pdf": "ZXZpbA==", "application/javascript": "evil()"}, raw=True)
display({"image/png": '"><script>evil()</script>'}, raw=True)
print("<script>evil()</script>")
pd.DataFrame({"a": [1, 2]})
"""
DRAW = """\
import base64
from IPython.display import Image, display
display(Image(base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")))
raise ValueError("<script>evil()</script>")
"""
TEXT = "# Title\n\n<script>evil()</script> [click](javascript:evil()) <b onclick=evil()>bold</b> `1 < 2`"


class TestExecutedNotebook:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("view")
        asset = nbd.notebook_asset(write_notebook(folder / "hostile.ipynb", HOSTILE, DRAW, text=TEXT))
        return materialize(folder / "store", asset)

    @pytest.fixture(scope="class")
    @classmethod
    def view(cls, run: DagsterRun) -> dict[str, Any]:
        return read(view_of(str(run.executed("hostile")[0])))

    def test_it_lies_beside_the_executed_notebook_which_stays_whole(
        self, run: DagsterRun, view: dict[str, Any]
    ) -> None:
        (executed,) = run.executed("hostile")
        assert Path(view_of(str(executed))).parent == executed.parent
        assert "evil" in json.dumps(_outputs(read(executed)))

    @pytest.mark.parametrize(
        "acts",
        ["<script", "onclick", "onerror", "javascript:", "<iframe", "<form", "<svg", "<style", "evil()</script>"],
    )
    def test_html_holds_nothing_that_acts(self, view: dict[str, Any], acts: str) -> None:
        html = [data["text/html"] for data in _data(view) if "text/html" in data]
        assert len(html) >= 4
        assert acts not in "".join("".join(each) for each in html).lower()

    def test_only_kinds_that_cannot_act_are_left(self, view: dict[str, Any]) -> None:
        kinds = {kind for data in _data(view) for kind in data}
        assert kinds == {"text/plain", "text/html", "text/markdown", "image/png"}

    def test_a_picture_is_base64_and_nothing_else(self, view: dict[str, Any]) -> None:
        pictures = ["".join(data["image/png"]) for data in _data(view) if "image/png" in data]
        assert len(pictures) == 1
        assert re.fullmatch(r"[A-Za-z0-9+/=\s]+", pictures[0])

    def test_what_is_harmless_stays(self, view: dict[str, Any]) -> None:
        html = "".join("".join(data.get("text/html", "")) for data in _data(view))
        assert "<b>bold</b>" in html
        assert 'href="https://good"' in html
        assert "<td>2</td>" in html
        assert "**strong**" in "".join(data.get("text/markdown", "") for data in _data(view))

    def test_text_and_errors_stay_as_they_are(self, view: dict[str, Any]) -> None:
        streams = [output for output in _outputs(view) if output["output_type"] == "stream"]
        errors = [output for output in _outputs(view) if output["output_type"] == "error"]
        assert "".join(streams[0]["text"]) == "<script>evil()</script>\n"
        assert errors[0]["ename"] == "ValueError"

    def test_no_metadata_of_the_notebook_or_its_cells_is_left(self, view: dict[str, Any]) -> None:
        assert list(view["metadata"]) == ["language_info"]
        assert not any(cell["metadata"] for cell in view["cells"])

    def test_the_code_stays(self, view: dict[str, Any]) -> None:
        assert "pd.DataFrame" in "".join(view["cells"][1]["source"])


def _outputs(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def _data(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [output["data"] for output in _outputs(notebook) if "data" in output]


def _notebook(cell: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]}


@pytest.mark.parametrize("language", ['"><script>evil()</script>', "../../etc", "x y", "python\nevil"])
def test_a_lexer_that_is_no_name_is_left_out(language: str) -> None:
    safe = safe_notebook(_notebook({"cell_type": "markdown", "source": "x"}, language_info={"name": language}))
    assert safe["metadata"]["language_info"]["name"] == "text"


def test_a_raw_cell_is_left_out() -> None:
    assert safe_notebook(_notebook({"cell_type": "raw", "source": "<script>"}))["cells"] == []


def test_an_id_that_is_no_name_is_cleaned() -> None:
    cell = {"cell_type": "markdown", "id": 'a"><script>', "source": "x"}
    assert safe_notebook(_notebook(cell))["cells"][0]["id"] == "ascript"


@pytest.mark.parametrize(
    "source",
    [
        "[a](javascript:evil())",
        "[a](JAVASCRIPT :evil())",
        "[a](java\nscript:evil())",
        "[a](&#106;avascript:evil())",
        "[a](data:text/html;base64,evil)",
        "[a]: javascript:evil()\n\n[a]",
        "<javascript:evil()>",
        "[a](javajavascript:script:evil())",
        "![a](vbscript:evil())",
        "<a href='&#x6A;avascript:evil()'>a</a>",
        "[a](<javascript:evil()>)",
        "[a](&amp;#106;avascript:evil())",
        "[a](javascript&colon;evil())",
        "[a](java&Tab;script:evil())",
        "[a](java&#10script:evil())",
        "[a](javascript\\:evil())",
        "[a](\x01javascript:evil())",
        "<b>x</b> [a](&#106;avascript:evil())",
        "<b>x</b>\n\n[a]: &#106;avascript:evil()\n\n[a]",
        "> [a](javascript:evil())\n\n```\ncode\n```\n\n* [b](javascript:evil())",
    ],
)
def test_a_markdown_link_that_acts_is_left_out(source: str) -> None:
    """As the viewer's own Markdown converter reads it."""
    nbconvert = pytest.importorskip("nbconvert.filters.markdown_mistune")
    safe = safe_notebook(_notebook({"cell_type": "markdown", "source": source}))["cells"][0]["source"]
    html = nbconvert.markdown2html_mistune(safe)
    assert "<script" not in html.lower()
    assert not re.search(r"""(href|src)\s*=\s*["']?\s*(javascript|vbscript|data:text)""", html, re.IGNORECASE), html


def test_markdown_with_a_link_that_acts_is_shown_as_it_was_written() -> None:
    nbconvert = pytest.importorskip("nbconvert.filters.markdown_mistune")
    cell = {"cell_type": "markdown", "source": "# Title\n\n[a](javascript:evil()) <script>evil()</script>"}
    safe = safe_notebook(_notebook(cell))["cells"][0]["source"]
    html = nbconvert.markdown2html_mistune(safe)
    assert "<pre><code># Title\n\n[a](javascript:evil()) &lt;script&gt;evil()&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "source",
    [
        '`<b title="`<img src=x onerror=evil()>">`',
        "<details open ontoggle=evil()>x</details>",
        "<b/onclick=evil()>x</b>",
        "<div>\n<https://onmouseover=evil()//>\n</div>",
        "<svg/onload=evil()>",
        "<b\nonclick=evil()>x</b>",
        "<!--><script>evil()</script>-->",
        "<script\n>evil()</script>",
    ],
)
def test_markdown_that_becomes_html_that_acts_is_text(source: str) -> None:
    nbconvert = pytest.importorskip("nbconvert.filters.markdown_mistune")
    safe = safe_notebook(_notebook({"cell_type": "markdown", "source": source}))["cells"][0]["source"]
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend([tag, *(name for name, _ in attrs)])

    Reader().feed(nbconvert.markdown2html_mistune(safe))
    assert set(found) <= {"p", "b", "div", "details", "code", "img", "blockquote"}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("so $a<b$ and **text** > 3", "so $a< b$ and <strong>text</strong> &gt; 3"),
        ("one<br/>two", "one<br>two"),
        ('<div align="center"><b>x</b></div>', "<div><b>x</b></div>"),
    ],
)
def test_harmless_html_in_markdown_stays_without_attributes(source: str, shown: str) -> None:
    nbconvert = pytest.importorskip("nbconvert.filters.markdown_mistune")
    safe = safe_notebook(_notebook({"cell_type": "markdown", "source": source}))["cells"][0]["source"]
    assert shown.replace("$a< b$", "$a&lt; b$") in nbconvert.markdown2html_mistune(safe)


def test_plain_markdown_stays_as_it_is() -> None:
    text = "# Title\n\n* `a < b` and *c*\n* [good](https://good)\n\n$x_1$"
    assert safe_notebook(_notebook({"cell_type": "markdown", "source": text}))["cells"][0]["source"] == text
