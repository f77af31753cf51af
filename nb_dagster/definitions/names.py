"""Names as Dagster takes them."""

from __future__ import annotations

import re


def dagster_name(name: str) -> str:
    """A file's name with letters, digits and underscores only.

    Example:
        >>> dagster_name("my-report")
        'my_report'
    """
    return re.sub(r"\W", "_", name, flags=re.ASCII)
