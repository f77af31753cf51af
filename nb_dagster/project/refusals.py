"""What is wrong with triggers and notifications, of which one key says nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nb_dagster.project.item import Item
from nb_dagster.project.notify import Notified
from nb_dagster.project.problems import Problem
from nb_dagster.project.schema import Project
from nb_dagster.project.source import Source
from nb_dagster.project.words import nearest


def trigger_problems(item: Item) -> Iterator[Problem]:
    """What is wrong with a workflow's trigger."""
    said, trigger = item.said, item.said.trigger
    if trigger is None:
        return
    if said.kind == "op" and trigger.files is None:
        yield item.problem(
            ("trigger",),
            "an op is no asset, so nothing tells when it is due; make it an asset, or give it files: or a schedule",
        )
        return
    if said.partitions is not None and trigger.files is not None:
        yield item.problem(
            ("trigger", "files"),
            "a run for each file has no partition; leave out partitions, and have the path fill a parameter",
        )
    for name in trigger.upstream or ():
        if name not in said.after:
            hint = nearest(name, said.after) or "what starts it comes before it: name it in after: too"
            yield item.problem(("trigger", "upstream"), f"{name!r} is not in after; {hint}".strip())


def notify_problems(project: Project, source: Source, items: Iterable[Item]) -> Iterator[Problem]:
    """Names of targets that there are not."""
    targets, common = project.notifications.targets, project.defaults.notify
    for message in _unknown(common, targets):
        yield source.problem(("defaults", "notify"), message)
    for item in items:
        if item.said.notify is not common:
            for message in _unknown(item.said.notify, targets):
                yield item.problem(("notify",), message)


def _unknown(said: Notified | None, targets: Iterable[str]) -> Iterator[str]:
    for name in said.names() if said else ():
        if name not in targets:
            hint = nearest(name, targets) or f"name it in the project: notifications: {{targets: {{{name}: env:NAME}}}}"
            yield f"there is no target {name!r}; {hint}".strip()
