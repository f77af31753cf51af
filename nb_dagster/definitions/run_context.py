"""What a step knows of its run, for ``nb.context``, context parameters and ``nb.upstream``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.definitions.partitions.utils import has_one_dimension_time_window_partitioning
from dagster._core.events import DagsterEventType
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.definitions.ci import ci_of
from nb_dagster.definitions.here import follower
from nb_dagster.definitions.records import records_of
from nb_dagster.notebook.types import JSON


def run_context(context: dg.OpExecutionContext) -> dict[str, JSON]:
    """What the step's run is for: its partition, of several the window of all; the moment it was scheduled for; its CI job."""
    found: dict[str, JSON] = {"ci": dict(ci_of(context.run.tags))}
    if scheduled := context.run.tags.get(SCHEDULED_EXECUTION_TIME_TAG):
        found["now"] = scheduled
    partitions = _partitions_def(context)
    if context.has_partition_key and partitions is not None:
        found["partition_key"] = context.partition_key
    has_partition = context.has_partition_key or context.has_partition_key_range
    if has_partition and has_one_dimension_time_window_partitioning(partitions):
        window = context.partition_time_window
        found["partition_start"], found["partition_end"] = window.start.isoformat(), window.end.isoformat()
    return found


def upstream_records(context: dg.OpExecutionContext) -> dict[str, Mapping[str, JSON]]:
    """What each direct upstream notebook recorded in this run, or else last, by the name of its asset or op."""
    step = context.get_step_execution_context()
    return {**dict(_of_assets(context, step)), **_of_steps(step)}


def _of_steps(step: StepExecutionContext) -> dict[str, Mapping[str, JSON]]:
    """Steps upstream in this run; an op that is not in it, in the run that this one re-executes."""
    wanted = {
        (handle.step_key, handle.output_name)
        for step_input in step.step.step_inputs
        for handle in step_input.source.step_output_handle_dependencies
    }
    is_asset = step.job_def.asset_layer.get_assets_def_for_node(step.node_handle) is not None
    found: dict[tuple[str, str], Mapping[str, JSON]] = {}
    run_id: str | None = step.run_id
    while run_id is not None and wanted - set(found):
        missing = wanted - set(found)
        for entry in step.instance.all_logs(run_id, of_type=DagsterEventType.STEP_OUTPUT):
            if entry.dagster_event is None:
                continue
            output = entry.dagster_event.step_output_data
            handle = (output.step_output_handle.step_key, output.step_output_handle.output_name)
            records = records_of(output.metadata)
            if handle in missing and records is not None:
                found[handle] = records
        run = None if is_asset else step.instance.get_run_by_id(run_id)
        run_id = run.parent_run_id if run else None
    return {_name(step, *handle): records for handle, records in found.items()}


def _name(step: StepExecutionContext, step_key: str, output_name: str) -> str:
    """The name of the asset that a step's output is, or of its op."""
    handle = NodeHandle.from_string(step_key)
    key = step.job_def.asset_layer.get_asset_key_for_node_output(handle, output_name)
    return key.path[-1] if key else handle.name


def _of_assets(context: dg.OpExecutionContext, step: StepExecutionContext) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """Assets upstream, as they were last materialized."""
    if not step.job_def.asset_layer.get_assets_def_for_node(step.node_handle):
        return
    graph = step.job_def.asset_layer.asset_graph
    selected = context.selected_asset_keys if context.has_assets_def else set()
    parents = {parent for key in selected for parent in graph.get(key).parent_keys} - set(selected)
    for key in sorted(parents):
        materialization = _last_materialization(context, key, _partitions(context, step, key))
        records = records_of(materialization.metadata) if materialization else None
        if records is not None:
            yield key.path[-1], records


def _last_materialization(
    context: dg.OpExecutionContext, key: dg.AssetKey, partitions: Sequence[str] | None
) -> dg.AssetMaterialization | None:
    filters = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions, before_timestamp=follower().as_of)
    found = context.instance.fetch_materializations(filters, limit=1).records
    return found[0].asset_materialization if found else None


def _partitions(context: dg.OpExecutionContext, step: StepExecutionContext, key: dg.AssetKey) -> Sequence[str] | None:
    """The partitions of an upstream asset that this step's own depend on; None where not both have some."""
    layer = step.job_def.asset_layer
    name = layer.get_node_input_name(step.node_handle, key)
    is_partitioned = context.assets_def.partitions_def and (
        context.has_partition_key or context.has_partition_key_range
    )
    if name is None or not is_partitioned or layer.get(key).partitions_def is None:
        return None
    return sorted(step.asset_partitions_subset_for_input(name, require_valid_partitions=False).get_partition_keys())


def _partitions_def(context: dg.OpExecutionContext) -> dg.PartitionsDefinition[Any] | None:
    """The partitions of the step's own asset, or of an op's job; the run's key may be meant for other assets."""
    if context.has_assets_def:
        return context.assets_def.partitions_def
    return context.get_step_execution_context().run_partitions_def
