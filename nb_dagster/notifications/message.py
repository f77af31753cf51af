"""What is said: plain text, Markdown or HTML, whichever a target takes, all of it short."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nb_dagster.notebook.types import JSON
from nb_dagster.notifications.ends import End
from nb_dagster.notifications.outcomes import WORDS, Outcome

_MAX_REASON, _MAX_PARAMETERS, _MAX_NAMES = 300, 200, 3
MAX_BODY = 1500
"""Characters of a message's text; Discord takes 2000 with everything around them."""
_MENTION = re.compile(r"@(?=everyone|here|channel|[&!]?\d)")


class NotDelivered(Exception):
    """A target did not take a message; the text says why, and has nothing of the target's URL in it."""


@dataclass(frozen=True)
class Line:
    """A line of a message.

    Attributes:
        label: what it is about; empty for the name of a workflow above its lines.
        value: text that may come from anywhere.
        url: where it leads.
    """

    label: str
    value: str
    url: str | None = None


@dataclass(frozen=True)
class Page:
    """A file that goes with a message.

    Attributes:
        name: the file's name.
        content: its bytes, HTML.
    """

    name: str
    content: bytes


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        title: the whole of it in a few words.
        lines: the rest.
        is_bad: whether it tells of something that went wrong.
        pages: files that go with it.
    """

    title: str
    lines: Sequence[Line]
    is_bad: bool = False
    pages: Sequence[Page] = ()

    def text(self) -> str:
        """Plain text."""
        return "\n".join(_labelled(line.label, line.url or line.value) for line in self.lines)

    def markdown(self) -> str:
        """Markdown, in which no value is more than text."""
        return "\n".join(_labelled(line.label and f"**{line.label}**", _markdown(line)) + "  " for line in self.lines)

    def html(self) -> str:
        """HTML."""
        lines = (_labelled(line.label and f"<b>{line.label}</b>", _html(line)) for line in self.lines)
        return "".join(f"<p>{line}</p>" for line in lines)


def message_of(
    outcome: Outcome,
    ends: Sequence[End],
    *,
    job: str,
    run_id: str | None,
    key: str,
    ui: str | None,
    pages: Sequence[Page | str],
) -> Message:
    """What is said of ends with one outcome.

    Args:
        outcome: the outcome.
        ends: one at least.
        job: name of the run.
        run_id: its id; None where there was none.
        key: by which a receiver tells that it was told the same thing before.
        ui: address of Dagster's UI, if it is known.
        pages: pages that are attached; a text says of one why it is not.
    """
    lines: list[Line] = []
    shown = 0
    for end in ends:
        more = [Line("", end.workflow), *_lines(end)] if len(ends) > 1 else list(_lines(end))
        if (
            shown
            and sum(len(line.label) + len(line.value) + len(line.url or "") for line in [*lines, *more]) > MAX_BODY
        ):
            break
        lines += more
        shown += 1
    if shown < len(ends):
        lines.append(Line("", f"and {len(ends) - shown} more"))
    lines += [Line("page not attached", each) for each in pages if isinstance(each, str)]
    if run_id is not None:
        lines.append(Line("run", run_id, f"{ui.rstrip('/')}/runs/{run_id}" if ui else None))
    lines.append(Line("message", key))
    title = f"{ends[0].workflow} {ends[0].words}" if len(ends) == 1 else f"{job}: {_names(ends)} {WORDS[outcome]}"
    attached = [each for each in pages if isinstance(each, Page)]
    return Message(title, lines, is_bad=outcome in ("failure", "retry", "missed"), pages=attached)


def _lines(end: End) -> Iterator[Line]:
    if end.reason:
        yield Line("reason", _short(end.reason, _MAX_REASON))
    if end.parameters:
        yield Line("parameters", _short(_parameters(end.parameters), _MAX_PARAMETERS))
    if end.attempt is not None:
        took = "" if end.duration_s is None else f", {end.duration_s:.1f} s"
        yield Line("attempt", f"{end.attempt}{took}")
    if end.page is not None:
        yield Line("page", "the executed notebook", end.page)


def _parameters(values: Mapping[str, JSON]) -> str:
    return ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())


def _names(ends: Sequence[End]) -> str:
    names = [end.workflow for end in ends]
    return ", ".join(names[:_MAX_NAMES]) + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")


def _short(text: str, limit: int) -> str:
    """A text's first line, which calls nobody up."""
    line = _MENTION.sub("@\u200b", next(iter(text.strip().splitlines()), ""))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _labelled(label: str, value: str) -> str:
    return f"{label}: {value}" if label else value


def _markdown(line: Line) -> str:
    if line.url is not None:
        return f"[{line.value}]({_address(line.url)})"
    plain = line.value.replace("`", "'")
    return f"`{plain}`"


def _html(line: Line) -> str:
    value = html.escape(line.value)
    return value if line.url is None else f'<a href="{html.escape(line.url)}">{value}</a>'


def _address(url: str) -> str:
    return quote(url, safe=":/?#[]@!$&'*+,;=%~-._")
