"""What a page says of a run above its notebook: how it ended, why, when, with which parameters."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

_STATUSES = ("succeeded", "failed", "timed_out", "killed", "cancelled", "skipped", "running")
_MAX_TEXT = 2000
"""Characters of a reason, or of a parameter's value, that are shown."""
_MAX_PARAMETERS = 200


@dataclass(frozen=True)
class Header:
    """The top of a page, as plain text; the template escapes it.

    Attributes:
        title: the workflow, or the notebook's name.
        status: how the run ended; empty where the notebook does not say.
        reason: why.
        facts: when, how long, which run, which attempt.
        parameters: names and values.
    """

    title: str
    status: str = ""
    reason: str = ""
    facts: list[str] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)


def header_of(name: str, run: Any) -> Header:
    """The top of a notebook's page.

    Args:
        name: the notebook's name, where it does not say of which workflow it is.
        run: its ``metadata.nb_dagster``, as it was found: nothing of it is trusted.
    """
    run = run if isinstance(run, dict) else {}
    parameters = run.get("parameters")
    return Header(
        title=_short(run.get("workflow")) or name,
        status=run["status"] if run.get("status") in _STATUSES else "",
        reason=_short(run.get("reason")),
        facts=[
            fact
            for fact in (_when(run), _which("run", run.get("run_id")), _which("attempt", run.get("attempt")))
            if fact
        ],
        parameters=[
            (str(key), _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
            for key, value in list(parameters.items() if isinstance(parameters, dict) else [])[:_MAX_PARAMETERS]
        ],
    )


def _when(run: dict[str, Any]) -> str:
    started, ended = _time(run.get("started")), _time(run.get("ended"))
    if started is None:
        return ""
    took = f", {(ended - started).total_seconds():.1f} s" if ended else ""
    return f"{started:%Y-%m-%d %H:%M:%S} UTC{took}"


def _time(value: Any) -> datetime | None:
    with contextlib.suppress(TypeError, ValueError):
        return datetime.fromisoformat(value).astimezone(timezone.utc)
    return None


def _which(word: str, value: Any) -> str:
    return f"{word} {_short(str(value)[:8])}" if isinstance(value, (str, int)) and value != "" else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
