"""Moments and spans of time, as people write and read them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_moment(text: str) -> datetime:
    """A moment of the past: ``2026-01-31``, ``2026-01-31T06:00``, or how long ago: ``90s``, ``45m``, ``36h``, ``7d``, ``2w``.

    Raises:
        click.BadParameter: the text says none.
    """
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    try:
        if ago:
            return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(re.sub("Z$", "+00:00", text)).astimezone()
    except (ValueError, OverflowError):
        words = f"{text!r} is no moment; write 2026-01-31, 2026-01-31T06:00, or how long ago: 45m, 36h, 7d"
        raise click.BadParameter(words) from None


def span(seconds: float | None) -> str:
    """A duration as a person reads it.

    Example:
        >>> span(3725)
        '1:02:05'
    """
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def clock(moment: datetime) -> str:
    """A moment in this machine's time, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
