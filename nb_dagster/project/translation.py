"""A project as Dagster's definitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd
from nb_dagster.definitions.names import dagster_name
from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute, check_volume
from nb_dagster.kernel.pods.schema import wrong_words
from nb_dagster.project.item import Item
from nb_dagster.project.partitions import partitions_def
from nb_dagster.project.parts import Retries
from nb_dagster.project.pipelines import PlannedPipeline
from nb_dagster.project.plan import Plan
from nb_dagster.project.problems import ProjectRefused
from nb_dagster.project.scheduling import firing_of
from nb_dagster.project.telling import telling_sensor
from nb_dagster.project.triggers import automation_sensor, condition_of, sensor_of_files
from nb_dagster.schedules.definition import definition_of
from nb_dagster.schedules.runs import PROJECT_TAG
from nb_dagster.store.notebooks import DEFAULT_ROOT


def definitions_of(plan: Plan) -> dg.Definitions:
    """The definitions of a project.

    Raises:
        ProjectRefused: something is wrong with it.
    """
    if plan.problems:
        raise ProjectRefused(plan.problems)
    made = [(item, _definition(plan, item)) for item in plan.items]
    project = {PROJECT_TAG: group_of(plan)}
    jobs = {name: _job(name, own, project) for name, own in _jobs(made)}
    assets = {item.name: definition for item, definition in made}
    pipelines = {each.name: _pipeline_job(each, assets, project) for each in plan.pipelines}
    fired = [*_schedules(plan, jobs), *_pipeline_schedules(plan, pipelines)]
    max_concurrent = plan.project.executor.max_concurrent
    executor = nbd.notebook_executor
    return dg.Definitions(
        assets=[each for _, each in made if isinstance(each, dg.AssetsDefinition)],
        jobs=[*jobs.values(), *pipelines.values()],
        schedules=[each for each in fired if isinstance(each, dg.ScheduleDefinition)],
        sensors=[*(each for each in fired if isinstance(each, dg.SensorDefinition)), *_sensors(plan, made, jobs)],
        resources=_resources(plan),
        executor=executor.configured({"max_concurrent": max_concurrent}) if max_concurrent else executor,
    )


def _definition(plan: Plan, item: Item) -> Any:
    """The asset or op of an item.

    Raises:
        ProjectRefused: Dagster does not take it.
    """
    said, inputs = item.said, plan.inputs[item.name]
    common: dict[str, Any] = {
        "name": item.name,
        "params": plan.values(item),
        "partition_params": said.partitions.fills if said.partitions else None,
        "description": said.description,
        "tags": said.tags,
        "kernel": said.kernel,
        "preload": said.preload,
        "cwd": None if said.cwd is None else plan.folder / said.cwd,
        "environment": said.environment.variables,
        "secrets": {**plan.project.secrets, **said.secrets},
        "timeout": said.timeout,
        "cell_timeout": said.cell_timeout,
        "stall_timeout": said.stall_timeout,
        "output_limits": said.output_limits,
        "single_flight": said.single_flight,
        "compute": compute_for(plan, item),
        "pool": said.pool,
        **_retries(said.retries),
    }
    try:
        if said.kind == "op":
            return nbd.notebook_op(item.document.path, outs=said.outs, **common)
        return nbd.notebook_asset(
            item.document.path,
            ins={parameter: dg.AssetKey.from_user_string(asset) for parameter, asset in inputs.values.items()},
            deps=[dg.AssetKey.from_user_string(asset) for asset in dict.fromkeys(inputs.waits)],
            outs=_outs(item),
            checks=said.checks,
            owners=said.owners,
            group_name=said.group or group_of(plan),
            partitions_def=partitions_def(said.partitions),
            automation_condition=condition_of(item, inputs),
            **common,
        )
    except (RunRefused, ValueError, dg.DagsterInvalidDefinitionError) as error:
        raise ProjectRefused([item.problem((), str(error))]) from None


def compute_for(plan: Plan, item: Item) -> Compute:
    """The compute of a workflow, with its environment, runtime and volumes as they are called outside of the file.

    Raises:
        ProjectRefused: its environment does not go with the rest, or what it says of a pod does not.
    """
    _check_pod(item)
    said, name = item.said.compute, item.said.environment.name
    if name is not None:
        if said.environment not in (None, name):
            message = f"it is {name} here, and {said.environment} in compute; say one of both"
            raise ProjectRefused([item.problem(("environment",), message)])
        try:
            said = replace(said, environment=name)
        except RunRefused as refused:
            raise ProjectRefused([item.problem(("environment",), str(refused))]) from None
    kind, _, path = (said.environment or "").partition(":")
    environment = f"venv:{plan.folder.absolute() / Path(path).expanduser()}" if kind == "venv" else said.environment
    runtime = None if said.runtime is None else f"{group_of(plan)}/{said.runtime}"
    return replace(
        said, environment=environment, runtime=runtime, volumes=[_volume(plan.folder, each) for each in said.volumes]
    )


def _check_pod(item: Item) -> None:
    """See that what it says of a pod is of Kubernetes, and means something there.

    Raises:
        ProjectRefused: it is not.
    """
    said = item.said.compute
    if not said.is_pod:
        return
    try:
        wrong = [item.problem(("compute", *key), words) for key, words in wrong_words(said)]
    except RunRefused as refused:  # what knows it is not installed
        wrong = [item.problem(("compute", "isolation"), str(refused).removeprefix("compute: isolation "))]
    for number, each in enumerate(said.volumes):
        if each.startswith("."):
            words = f"{each} is seen from the project file, and a pod may be on any node; name a claim, or a folder of the nodes (/…)"
            wrong.append(item.problem(("compute", "volumes", number), words))
    if wrong:
        raise ProjectRefused(wrong)


def _volume(folder: Path, said: str) -> str:
    source, target, mode = check_volume(said)
    return f"{(folder / source).resolve() if source.startswith('.') else source}:{target}:{mode}"


def group_of(plan: Plan) -> str:
    """The project's name, which its assets have for a group."""
    return plan.project.name or dagster_name(plan.folder.absolute().name)


def _outs(item: Item) -> Any:
    """The outputs with their assets; where there is one, it is the workflow's own."""
    if len(item.assets) < 2:
        return item.said.outs
    return {output: dg.AssetOut(key=asset) for output, asset in item.assets.items()}


def _retries(said: Retries | None) -> dict[str, Any]:
    if said is None:
        return {}
    policy = dg.RetryPolicy(
        max_retries=said.count,
        delay=said.delay,
        backoff=dg.Backoff[said.backoff.upper()] if said.backoff else None,
        jitter=dg.Jitter[said.jitter.upper()] if said.jitter else None,
    )
    return {"retry_policy": policy, "retry_on": said.on}


def _jobs(made: list[tuple[Item, Any]]) -> Iterator[tuple[str, list[tuple[Item, Any]]]]:
    """The jobs by name: one of each item, and one of each whole sweep."""
    for each in made:
        yield each[0].name, [each]
    for name in dict.fromkeys(item.workflow for item, _ in made if item.point):
        yield name, [each for each in made if each[0].workflow == name]


def _job(name: str, made: list[tuple[Item, Any]], tags: dict[str, str]) -> Any:
    said = made[0][0].said
    if said.kind == "op":
        ops = [definition for _, definition in made]
        return nbd.notebook_job(name, ops, tags=tags, partitions_def=partitions_def(said.partitions))
    keys = [key for _, definition in made for key in definition.keys]
    return dg.define_asset_job(name, dg.AssetSelection.assets(*keys), tags=tags)


def _pipeline_job(pipeline: PlannedPipeline, definitions: dict[str, Any], tags: dict[str, str]) -> Any:
    assets = {item.name: definitions[item.name] for item in pipeline.items}
    ops = {assets[name].op.name: {"config": values} for name, values in pipeline.values.items()}
    return dg.define_asset_job(
        pipeline.name,
        dg.AssetSelection.assets(*(key for each in assets.values() for key in each.keys)),
        config={"ops": ops} if ops else None,
        description=pipeline.said.description,
        tags={**tags, **pipeline.said.tags},
    )


def _schedules(plan: Plan, jobs: dict[str, Any]) -> Iterator[Any]:
    for name, said in {item.workflow: item.said for item in plan.items}.items():
        if said.schedule is not None:
            enabled = said.enabled and said.schedule.enabled
            firing = firing_of(group_of(plan), name, said.schedule, said.partitions)
            yield definition_of(name, jobs[name], firing, enabled=enabled)


def _pipeline_schedules(plan: Plan, jobs: dict[str, Any]) -> Iterator[Any]:
    for each in plan.pipelines:
        said = each.said.schedule
        if said is not None:
            firing = firing_of(group_of(plan), each.name, said, each.partitions)
            yield definition_of(each.name, jobs[each.name], firing, enabled=said.enabled)


def _sensors(plan: Plan, made: list[tuple[Item, Any]], jobs: dict[str, Any]) -> Iterator[Any]:
    for name in dict.fromkeys(item.workflow for item, _ in made):
        yield from sensor_of_files(plan.folder, [each for each in made if each[0].workflow == name], jobs[name])
    assets = [each for _, each in made if isinstance(each, dg.AssetsDefinition)]
    yield from automation_sensor(group_of(plan), assets)
    yield from telling_sensor(plan, group_of(plan))


def _resources(plan: Plan) -> dict[str, Any]:
    store = plan.project.store
    given = nbd.resources(DEFAULT_ROOT if store is None else _seen_from(plan.folder, store), plan.project.pages)
    if plan.project.data is not None:
        given["io_manager"] = dg.FilesystemIOManager(base_dir=_seen_from(plan.folder, plan.project.data))
    return given


def _seen_from(folder: Path, place: str) -> str:
    return place if "://" in place else str((folder / place).absolute())
