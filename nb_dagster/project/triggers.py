"""Triggers of the project file as Dagster's sensors and automation conditions."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.definitions.files import file_sensor
from nb_dagster.project.item import Item
from nb_dagster.project.upstream import Inputs


def condition_of(item: Item, inputs: Inputs) -> dg.AutomationCondition[Any] | None:
    """When Dagster's automation materializes a workflow's assets; None where it never does.

    Args:
        item: the workflow.
        inputs: what comes before it.
    """
    said = item.said.trigger
    if said is None or said.files is not None or not (said.enabled and item.said.enabled):
        return None
    if said.cron is not None:
        return dg.AutomationCondition.on_cron(said.cron, said.timezone)
    if said.upstream is None:
        is_eager = said.automation == "eager"
        return dg.AutomationCondition.eager() if is_eager else dg.AutomationCondition.on_missing()
    keys = [dg.AssetKey.from_user_string(asset) for name in said.upstream for asset in inputs.named[name]]
    return _after_update(keys, label=f"after an update of {' or '.join(said.upstream)}")


def _after_update(keys: Sequence[dg.AssetKey], label: str) -> dg.AutomationCondition[Any]:
    """Due after an update of one of some upstreams, when nothing before it is missing or running.

    Dagster's ``eager`` forgets an update that comes between the look that asks for a run and the next one, although that
    run may have read what was there before it; here it is due once more.
    """
    condition = dg.AutomationCondition
    is_updated = condition.any_deps_updated().allow(dg.AssetSelection.assets(*keys))
    is_asked_for = condition.newly_requested() | condition.initial_evaluation()
    return (
        condition.in_latest_time_window()
        & is_updated.since(is_asked_for & ~is_updated)
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
    ).with_label(label)


def automation_sensor(project: str, assets: Sequence[dg.AssetsDefinition]) -> Iterator[dg.SensorDefinition]:
    """The sensor that looks after all conditions of a project; Dagster's own would be off.

    Args:
        project: the project's name.
        assets: its assets.
    """
    keys = [key for each in assets for key, condition in each.automation_conditions_by_key.items() if condition]
    if keys:
        yield dg.AutomationConditionSensorDefinition(
            f"{project}_automation",
            target=dg.AssetSelection.assets(*keys),
            default_status=dg.DefaultSensorStatus.RUNNING,
        )


def sensor_of_files(folder: Path, made: Sequence[tuple[Item, Any]], job: Any) -> Iterator[dg.SensorDefinition]:
    """The sensor of a workflow that files start.

    Args:
        folder: the project file's folder.
        made: the workflow's items, each with its asset or op.
        job: the job of all of them.
    """
    item = made[0][0]
    said = item.said.trigger
    if said is not None and said.files is not None:
        yield file_sensor(
            f"{item.workflow}_files",
            job,
            _seen_from(folder, said.files),
            fills=_fills(made, said.fills),
            settle=said.settle,
            at_most=said.at_most,
            enabled=said.enabled and item.said.enabled,
        )


def _fills(made: Sequence[tuple[Item, Any]], parameter: str | None) -> Mapping[str, str]:
    if parameter is None:
        return {}
    ops = [getattr(definition, "op", definition) for _, definition in made]
    return {op.name: parameter for op in ops}


def _seen_from(folder: Path, pattern: str) -> str:
    if "://" in pattern:
        return pattern
    return pattern if Path(pattern).is_absolute() else f"{glob.escape(str(folder.absolute()))}/{pattern}"
