"""The page of a notebook: what it shows, what it leaves out, what it says of the run."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.pages.clean import cleaned
from nb_dagster.pages.normal import read_notebook
from nb_dagster.pages.page import STATIC_POLICY, live_page, static_page
from tests.pages.stores import code, markdown, notebook, output, raw

PICTURE = base64.b64encode(b"a picture").decode()


def static(*cells: dict[str, Any], show_code: bool = True, **run: Any) -> str:
    return static_page(read_notebook("train.ipynb", raw(notebook(*cells, **run))), "train", code=show_code)


def live(*cells: dict[str, Any], **run: Any) -> str:
    return live_page(read_notebook("train.ipynb", raw(notebook(*cells, **run))), "train")


def test_it_shows_text_code_and_outputs() -> None:
    page = static(
        markdown("# Title\n\n*text*"), code("total = 1", output(text_html="<table><tr><td>7</td></tr></table>"))
    )
    assert "<em>text</em>" in page
    assert ">total</span>" in page
    assert "<td>7</td>" in page


def test_code_is_hidden_on_request() -> None:
    cell = code("secret_sauce = 1", output(text_plain="42"))
    page = static(cell, show_code=False)
    assert "secret_sauce" not in page
    assert "42" in page


def test_it_says_how_the_run_ended_and_with_which_parameters() -> None:
    page = static(code("x"), status="failed", reason="cell 1 raised", parameters={"day": "2026-01-31", "sizes": [1, 2]})
    for said in ("failed", "cell 1 raised", "2026-01-31 02:00:00 UTC, 7.0 s", "run 1a2b3c4d", "attempt 1", "[1, 2]"):
        assert said in page


def test_a_notebook_that_never_ran_has_a_page() -> None:
    plain = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [markdown("# Hello")]}
    page = static_page(read_notebook("x.ipynb", raw(plain)), "x")
    assert "<title>x</title>" in page
    assert "Hello" in page


def test_a_notebook_in_another_format_has_a_page() -> None:
    assert "Hello" in static_page(read_notebook("x.py", b"# %% [markdown]\n# Hello\n\n# %%\nx = 1\n"), "x")


def test_png_jpeg_and_svg_are_pictures() -> None:
    svg = output(**{"image/svg+xml": "<svg onload='evil()'/>"})
    page = static(code("", output(image_png=PICTURE), output(image_jpeg=PICTURE), svg))
    sources = re.findall(r'<img src="(data:image/[a-z+]+);base64,', page)
    assert sources == ["data:image/png", "data:image/jpeg", "data:image/svg+xml"]
    assert "onload" not in page


def test_an_attached_picture_is_shown() -> None:
    cell = markdown("![x](attachment:a.png)", attachments={"a.png": {"image/png": PICTURE}})
    assert f"data:image/png;base64,{PICTURE}" in static(cell)


def test_a_missing_attachment_costs_only_itself() -> None:
    page = static(markdown("before ![x](attachment:gone.png) after"))
    assert "before" in page
    assert "after" in page


def test_an_output_of_an_unknown_kind_is_told() -> None:
    page = static(code("", output(**{"application/vnd.vega.v5+json": {}})))
    assert "application/vnd.vega.v5+json, which this page does not show" in page


def test_a_long_text_in_colours_is_shown_whole() -> None:
    text = "".join(f"\x1b[31mred {number}\x1b[0m\n" for number in range(20_000)) + "x" * 250_000
    page = static(code("", {"output_type": "stream", "name": "stdout", "text": text}))
    assert page.count('<span class="ansi-red-fg">red ') == 20_000
    assert page.count("x") > 250_000


class Loads(HTMLParser):
    """Collects elements, and the addresses of what they load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [
            value or "" for name, value in attrs if name in ("src", "srcset", "data", "poster", "background")
        ]


def test_a_static_page_has_no_scripts_and_loads_nothing() -> None:
    hostile = (
        '<script>evil()</script><img src="https://evil/x.png"><iframe src="https://evil"></iframe><p onclick=evil()>'
    )
    page = static(code("x", output(text_html=hostile)), markdown(f"$x^2$ ![x](https://evil/y.png) {hostile}"))
    found = Loads(page)
    assert not found.tags & {"script", "iframe", "link", "object", "embed", "form", "base"}
    assert [address for address in found.loaded if not address.startswith("data:")] == []
    assert "url(http" not in page
    assert "@import" not in page
    assert f'content="{STATIC_POLICY}"'.replace("'", "&#39;") in page


def test_a_live_page_has_its_outputs_in_a_frame_without_an_origin() -> None:
    page = live(code("x", output(text_html="<script>draw()</script>")))
    frames = re.findall(r"<iframe ([^>]*?)srcdoc=", page)
    assert frames == ['sandbox="allow-scripts" title="notebook" ']
    assert "&lt;script&gt;draw()&lt;/script&gt;" in page
    assert not Loads(page).tags & {"script", "link"}
    assert "cdnjs" not in page


@pytest.mark.parametrize("place", ["workflow", "reason", "parameters", "run_id"])
def test_what_is_said_of_the_run_is_text(place: str) -> None:
    hostile = "<b>x</b>"
    said: dict[str, Any] = {place: {"n": hostile} if place == "parameters" else hostile}
    page = static(code("x"), status="failed", **said)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


@pytest.mark.parametrize("status", ["x", 3, None, ["failed"], {"a": 1}])
def test_metadata_of_any_form_makes_a_page(status: Any) -> None:
    assert "train" in static(code("x"), status=status, reason=status, parameters=status, started=status, attempt=status)


@pytest.mark.parametrize(
    "outputs",
    [
        3,
        [3],
        [{}],
        [{"output_type": "stream"}],
        [{"output_type": "error"}],
        [{"output_type": "error", "traceback": [3]}],
        [{"output_type": "display_data"}],
        [{"output_type": "display_data", "data": {"text/html": {"a": 1}, "image/png": 3}, "metadata": 3}],
        [{"output_type": "display_data", "data": {"text/markdown": ["a", 3]}}],
    ],
)
def test_outputs_of_any_form_make_a_page(outputs: Any) -> None:
    assert "</html>" in static({**code("x"), "outputs": outputs})


def test_what_is_no_notebook_is_refused_in_a_sentence() -> None:
    with pytest.raises(UnreadableNotebook, match=r"^x.ipynb is no notebook: not JSON"):
        read_notebook("x.ipynb", b"<html>")


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<b onclick=evil()>x</b>", "<b>x</b>"),
        ('<a href="javascript:evil()">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ('<a href="data:text/html,x">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ('<a href="/graphql">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ('<a href="https://good">x</a>', '<a href="https://good" rel="noopener noreferrer">x</a>'),
        ('<a href="#title">x</a>', '<a href="#title" rel="noopener noreferrer">x</a>'),
        ('<img src="data:text/html;base64,AA">', "<img>"),
        ('<img src="https://evil/x.png">', "<img>"),
        ('<p style="color: red; position: fixed; background: url(x)">x</p>', '<p style="color:red">x</p>'),
        ("<div><span>x", "<div><span>x</span></div>"),
    ],
)
def test_cleaned_html_keeps_what_cannot_act(html: str, clean: str) -> None:
    assert cleaned(html) == clean
