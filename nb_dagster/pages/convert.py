"""A notebook's cells as HTML, made by nbconvert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters.html import HTMLExporter
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.ansi import ansi2html
from nbconvert.filters.highlight import Highlight2HTML
from nbformat import from_dict

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.pages.clean import cleaned
from nb_dagster.pages.normal import normal_notebook

_TEMPLATE = (Path(__file__).parent / "templates" / "notebook.html.j2").read_text(encoding="utf-8")
_STATIC = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
_PIECE, _LONGEST = 10_000, 100_000
"""Characters after which a text is cut at the next end of a line, and within a line."""
_LIVE = ("application/javascript", *_STATIC)


def convert(notebook: dict[str, Any], *, code: bool, scripts: bool) -> str:
    """The cells as HTML, with their style.

    Args:
        notebook: what ``read_notebook`` returned.
        code: whether the code is shown.
        scripts: whether outputs keep their own HTML and scripts; otherwise it is cleaned.

    Raises:
        UnreadableNotebook: nbconvert can make nothing of it.
    """
    normal = normal_notebook(notebook)
    lexer = normal["metadata"]["language_info"]["name"]
    exporter: Any = _Exporter(raw_template=_TEMPLATE, exclude_input=not code, exclude_input_prompt=not code)  # type: ignore[no-untyped-call]
    exporter.register_filter("ansi2html", _coloured)
    exporter.register_filter("cell_html", _as_it_is if scripts else cleaned)
    exporter.register_filter("filter_data_type", _Shown(_LIVE if scripts else _STATIC))
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer))  # type: ignore[no-untyped-call]
    try:
        html: str = exporter.from_notebook_node(from_dict(normal))[0]  # type: ignore[no-untyped-call]
    except Exception as error:  # its Markdown and its templates raise what they like
        raise UnreadableNotebook(f"nbconvert makes no page of it ({type(error).__name__}: {error})") from error
    return html


def _coloured(text: str) -> str:
    """Terminal colours as HTML, piece by piece: nbconvert's time grows with the square of the text."""
    pieces, piece = [], ""
    for line in text.splitlines(keepends=True):
        piece += line
        if len(piece) > _PIECE:
            pieces.append(piece)
            piece = ""
    long_lines = (
        each[start : start + _LONGEST] for each in [*pieces, piece] for start in range(0, len(each), _LONGEST)
    )
    return "".join(map(ansi2html, long_lines))


def _as_it_is(html: str) -> str:
    return html


class _Exporter(HTMLExporter):
    """nbconvert's exporter without its last step, which would parse and write anew what was cleaned."""

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> Any:
        return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **kw)  # type: ignore[no-untyped-call]


class _Shown:
    """The kind of an output that is shown: the best that the page knows, or any, of which it says that it does not."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds

    def __call__(self, data: dict[str, Any]) -> list[str]:
        return [kind for kind in self._kinds if kind in data][:1] or ["unknown"]
