"""What can be said of a project without running anything."""

from __future__ import annotations

import importlib.util
import itertools
import math
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from nb_dagster.errors import UnknownEnvironment, UnknownKernel
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.environment import find_environment
from nb_dagster.kernel.specs import find_kernel, kernel_name
from nb_dagster.notebook.parameters import CONTEXT_PARAMETERS
from nb_dagster.project.code import undefined_names, unused_parameters
from nb_dagster.project.item import Item
from nb_dagster.project.parts import Partitions, Schedule
from nb_dagster.project.pipelines import PlannedPipeline
from nb_dagster.project.plan import Plan
from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.runtimes import problems_of_runtimes
from nb_dagster.project.scheduling import firing_of, timetable_of
from nb_dagster.project.translation import compute_for, definitions_of, group_of
from nb_dagster.schedules.definition import name_of

FIRE_TIMES = 5
"""How many of the next times of a schedule are told."""


def problems_of(plan: Plan) -> list[Problem]:
    """All that is wrong with a project, or worth a look, errors first."""
    found = [*plan.problems, *problems_of_runtimes(plan.project, plan.source, plan.folder)]
    for item in plan.items:
        found += _missing(plan, item)
    for pipeline in plan.pipelines:
        found += _missing_in(plan, pipeline)
    for item in {item.workflow: item for item in plan.items}.values():
        found += _of_notebook(plan, item)
    if not any(each.level == "error" for each in found):
        try:
            dg.Definitions.merge(definitions_of(plan), _made_elsewhere(plan)).get_repository_def()
        except ProjectRefused as refused:
            found += refused.problems
        except Exception as error:  # Dagster's own words, for what only it knows
            found.append(Problem(" ".join(str(error).split()), plan.source.file))
    return sorted(dict.fromkeys(found), key=lambda each: (each.level != "error", each.file, each.line or 0))


def _made_elsewhere(plan: Plan) -> dg.Definitions:
    """What stands for the assets that are defined beside the project."""
    return dg.Definitions(
        assets=[dg.AssetSpec(dg.AssetKey.from_user_string(key)) for key in plan.project.external_assets]
    )


def _missing(plan: Plan, item: Item) -> Iterator[Problem]:
    wanted = _wanted(plan, item, by_clock=item.said.schedule is not None)
    if not wanted:
        return
    if item.said.schedule is None:
        yield item.problem((), f"each launch has to give the parameter {wanted}", "warning")
    else:
        yield item.problem(("schedule",), f"it has no value for the required parameter {wanted}; give one in params")


def _missing_in(plan: Plan, pipeline: PlannedPipeline) -> Iterator[Problem]:
    for item in pipeline.items if pipeline.said.schedule else ():
        wanted = _wanted(plan, item, pipeline.values.get(item.name, ()), by_clock=True)
        if wanted:
            key = ("pipelines", pipeline.name, "schedule")
            yield plan.source.problem(key, f"{item.name} has no value for the required parameter {wanted}; give one")


def _wanted(plan: Plan, item: Item, also: Iterable[str] = (), *, by_clock: bool) -> str:
    """The required parameters of an item that have no value before a run, in words."""
    filled = set(item.filled)
    if by_clock and item.said.trigger is not None:
        filled -= {item.said.trigger.fills}  # only a file has that
    given = {*plan.values(item), *filled, *CONTEXT_PARAMETERS, *also}
    missing = [each for each in item.document.parameters.values() if each.required and each.name not in given]
    return ", ".join(f"{each.name!r} ({each.type})" for each in missing)


def _of_notebook(plan: Plan, item: Item) -> Iterator[Problem]:
    document = item.document
    yield from _of_kernel(plan, item)
    for each in undefined_names(document):
        place = f"cell {each.cell}, line {each.line}"
        yield Problem(f"{place}: the name {each.name!r} is defined nowhere in the notebook", document.path)
    for name in unused_parameters(document):
        yield Problem(f"the parameter {name!r} is used nowhere in the notebook", document.path, level="warning")


def _of_kernel(plan: Plan, item: Item) -> Iterator[Problem]:
    path = item.document.path
    try:
        compute = compute_for(plan, item)
        if compute.is_container:  # which kernels there are is known in it
            yield from _of_pod(item, compute)
            return
        name = kernel_name(item.document, item.said.kernel, compute)
        find_kernel(name, path, find_environment(compute.environment, path))
    except ProjectRefused as refused:
        yield from refused.problems
    except UnknownKernel as unknown:
        yield item.problem(("kernel",), str(unknown))
    except UnknownEnvironment as unknown:
        key = ("environment",) if item.said.environment.name else ("compute", "environment")
        yield item.problem(key, str(unknown))


def _of_pod(item: Item, compute: Compute) -> Iterator[Problem]:
    wanted = {"k8s": ("kubernetes", "dagster_k8s"), "k8s-kernel": ("kubernetes",)}.get(compute.isolation, ())
    if not all(map(importlib.util.find_spec, wanted)):
        words = f"{compute.isolation} needs Kubernetes' client where it runs: pip install 'nb_dagster[k8s]'"
        yield item.problem(("compute", "isolation"), words, "warning")


def fire_times(schedule: Schedule) -> list[str]:
    """The next times of a schedule, in its time zone, as ISO 8601; an interval without a start is counted from now."""
    now, zone = time.time(), ZoneInfo(schedule.timezone)
    moments = timetable_of(schedule).after(now, math.floor(now))
    count = min(FIRE_TIMES, schedule.repeat or FIRE_TIMES)
    return [datetime.fromtimestamp(moment, zone).isoformat() for moment in itertools.islice(moments, count)]


def workflow_rows(plan: Plan) -> list[dict[str, Any]]:
    """Each workflow in words, for a table or as JSON."""
    return [
        {
            "name": item.name,
            "kind": item.said.kind,
            "notebook": item.document.path,
            "params": plan.values(item),
            "after": [*plan.inputs[item.name].waits, *plan.inputs[item.name].values.values()],
            "enabled": item.said.enabled,
            "schedule": _schedule_row(
                plan, item.workflow, item.said.schedule, item.said.partitions, enabled=item.said.enabled
            ),
            "trigger": item.said.trigger and item.said.trigger.model_dump(exclude_unset=True),
        }
        for item in plan.items
    ]


def pipeline_rows(plan: Plan) -> list[dict[str, Any]]:
    """Each pipeline in words, for a table or as JSON."""
    return [
        {
            "name": each.name,
            "workflows": [item.name for item in each.items],
            "params": each.said.params,
            "schedule": _schedule_row(plan, each.name, each.said.schedule, each.partitions),
        }
        for each in plan.pipelines
    ]


def _schedule_row(
    plan: Plan, name: str, said: Schedule | None, partitions: Partitions | None, *, enabled: bool = True
) -> dict[str, Any] | None:
    if said is None:
        return None
    return {
        "name": name_of(name, firing_of(group_of(plan), name, said, partitions)),
        **said.model_dump(),
        "enabled": said.enabled and enabled,
        "next": fire_times(said),
    }
