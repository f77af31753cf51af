"""HTML with only what no browser runs or loads: what a page without scripts is made of.

It is cleaned after everything else that makes the page, so what was cleaned is what the browser reads.
"""

from __future__ import annotations

import re

_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
"""An SVG too: as a picture it runs no scripts, and loads nothing."""
_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
_ATTRIBUTES = {
    "*": {"class", "data-mime-type", "id", "style", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_STYLES = {"background-color", "color", "font-style", "font-weight", "text-align", "text-decoration"}


def cleaned(html: str) -> str:
    """The HTML of one cell, cleaned; what is open at its end is closed.

    Example:
        >>> cleaned('<b onclick="evil()">bold</b><script>evil()</script>')
        '<b>bold</b>'
    """
    import nh3

    return nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        filter_style_properties=_STYLES,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer",
    )


def _kept(_tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if _PICTURE.fullmatch(value) else None
    if attribute == "href":
        return value if _LINK.match(value) else None
    return value
