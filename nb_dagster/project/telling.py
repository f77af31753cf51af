"""Notifications of the project file as the sensor that sends them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.notifications.outcomes import Outcome
from nb_dagster.project.item import Item
from nb_dagster.project.plan import Plan
from nb_dagster.project.problems import ProjectRefused


def telling_sensor(plan: Plan, project: str) -> Iterator[dg.SensorDefinition]:
    """The sensor that tells people of the project's runs, where anybody is told of anything.

    Args:
        plan: the project.
        project: its name.

    Raises:
        ProjectRefused: what it needs is not installed.
    """
    try:
        if rules := list(_rules(plan.items, plan)):
            ui = plan.project.notifications.ui
            yield nbd.notification_sensor(*rules, ui=ui, name=f"{project}_notifications")
    except RunRefused as refused:
        raise ProjectRefused([plan.source.problem(("notifications",), str(refused))]) from None


def _rules(items: Sequence[Item], plan: Plan) -> Iterator[nbd.Notify]:
    """One rule for all workflows that tell the same people of the same outcome."""
    targets = plan.project.notifications.targets
    workflows: dict[tuple[Outcome, tuple[str, ...], bool], list[str]] = {}
    for item in items:
        if item.said.notify is not None:
            for outcome, names in item.said.notify.by_outcome().items():
                told = (outcome, tuple(names), item.said.notify.attach_page)
                workflows.setdefault(told, []).extend([item.name, item.workflow])
                if outcome == "missed":  # what a pipeline's schedule lets go, each of its workflows misses
                    workflows[told] += [each.name for each in plan.pipelines if item in each.items]
    for (outcome, whom, attach_page), who in workflows.items():
        addresses = [targets[name] for name in whom]
        yield nbd.Notify(addresses, on=[outcome], workflows=list(dict.fromkeys(who)), attach_page=attach_page)
