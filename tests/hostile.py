"""What somebody might send to make a value more than data, or a name more than a name."""

from __future__ import annotations

import hypothesis.strategies as st

SNIPPETS = (
    *('"; import os #', "'; import os #", '"""', "\\", "\\'", '\\"', "'\\''", "\\u0022", "\\x27", "\n", "\r\n", "\n import os"),
    *("$(touch pwned)", "`touch pwned`", "${x}", "$x", "#{1}", "%s", "%d{x}", "{{x}}", "!!", "!ls", "%%bash", "?", "~", "*", ";"),
    *('"@\n', "'@\n", "@'\n", "\u2018", "\u2019", "\u201a", "\u201b", "\u201c", "\u201d", "\u201e", "$'", 'r"(', ')"', "# ", "--"),
    *("\0", "\x03", "\x04", "\x08", "\t", "\x0b", "\x15", "\x1b[A", "\x7f", "\x85", "\xa0", "\u2028", "\u2029"),
    *("\ufeff", "\ufffe", "\uffff", "\u202e", "\ud800", "\udcff", "é", "e\u0301", "\xff", "ő", "🎉", "\U0010ffff"),
)  # fmt: skip
"""Pieces of code, quotes of all kinds, control characters, and characters that some parser takes for one of them."""
TEXTS = st.text(st.characters()) | st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=3), max_size=6).map("".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
ATTACK = (
    "'; touch pwned; \"; $(touch pwned) `touch pwned` ${x} \\ \n%%bash\n!touch pwned\n\u2018; touch pwned; \u2019 🎉"
)
"""A text that is to arrive as it is."""
NO_NAMES = (
    *("..", ".", "", "/", "../x", "../../x", "a/../../x", "a/..", "/etc/x", "//etc/x", "../root-evil/x", "%2Fetc/x"),
    *("C:\\x", "C:/x", "C:x", "x:stream", "\\\\server\\share", "..\\x", "a\\..\\..\\x", "%5c%5cserver%5cshare"),
    *("%2e%2e/x", "%2e%2e%2fx", "%252e%252e/x", "a%00b", "x\0y", "x\ny", "\nx", "\x1b[A", "\u2028", "\ud800", "\udcff"),
    *("n" * 201, "n" * 300, "n" * 5000, "n/" * 600, "🎉" * 60),
)  # fmt: skip
"""What is no name of a file, or leads elsewhere."""
NAMES = (
    *NO_NAMES,
    *(" ", "~", "~/x", "~root/x", "./x", "x/", "x.", "x ", "-rf", "*", "CON", "nul.txt", ".hidden", ".running", ".values/x"),
    *("50%.txt", "$(touch pwned)", "`touch pwned`", "'; touch pwned", "\u202e", "größe", "gro\u0308ße", "GRÖSSE", "a b"),
)  # fmt: skip
"""The same, and names that look like it, or that some system reads otherwise."""


def is_whole(text: str) -> bool:
    """Whether all its characters are some: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
