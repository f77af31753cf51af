"""The lists that lead to pages: all workflows of a store, and the attempts of one."""

from __future__ import annotations

from urllib.parse import quote

from nb_dagster.pages.header import header_of
from nb_dagster.pages.page import render
from nb_dagster.pages.shelf import Shelf
from nb_dagster.store.attempts import attempts, workflows

MAX_ROWS = 200
"""Rows of a list; each costs a look into the store."""


def index(shelf: Shelf) -> str:
    """All workflows of a store, with their newest attempt."""
    names = workflows(shelf.root)
    rows = []
    for name in names[:MAX_ROWS]:
        found = attempts(shelf.root, name)
        if found:
            here = f"{quote(name)}/"
            newest = (f"{found[0].started:%Y-%m-%d %H:%M:%S} UTC", f"{here}latest")
            rows.append([(name, here), newest, (f"{len(found)}", "")])
    return render(
        "list.html",
        title="Notebook runs",
        columns=["workflow", "newest attempt", "attempts"],
        rows=rows,
        note=_left_out(len(names), "workflows"),
    )


def workflow(shelf: Shelf, name: str) -> str:
    """The attempts of a workflow, the newest first."""
    found = shelf.workflow(name)
    rows = []
    for attempt in found[:MAX_ROWS]:
        run = header_of(name, attempt.facts())
        when = (f"{attempt.started:%Y-%m-%d %H:%M:%S} UTC", f"{quote(attempt.name)}/")
        rows.append([when, (attempt.run, ""), (f"{attempt.number}", ""), (run.status, ""), (run.reason[:200], "")])
    return render(
        "list.html",
        title=name,
        links=[("all runs", "../"), ("latest", "latest"), ("latest successful", "latest-successful")],
        columns=["started", "run", "attempt", "status", "reason"],
        rows=rows,
        note=_left_out(len(found), "attempts"),
    )


def _left_out(count: int, what: str) -> str:
    return f"The first {MAX_ROWS} of {count} {what}." if count > MAX_ROWS else ""
