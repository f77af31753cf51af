"""What a step knows of its run, for ``nb.context``, context parameters and ``nb.upstream``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.execution.context.system import StepExecutionContext

from nb_dagster.notebook.types import JSON

RECORDS_KEY = "nb_dagster/records"
"""Metadata of a notebook's outputs: what it recorded, as ``nb.upstream`` takes it."""


def run_context(context: dg.OpExecutionContext) -> dict[str, JSON]:
    """The partition of the step's run."""
    found: dict[str, JSON] = {}
    if context.has_partition_key and _is_partitioned(context):
        found["partition_key"] = context.partition_key
        window = _window(context)
        if window is not None:
            found["partition_start"], found["partition_end"] = window.start.isoformat(), window.end.isoformat()
    return found


def upstream_records(context: dg.OpExecutionContext) -> dict[str, Mapping[str, JSON]]:
    """What each direct upstream notebook recorded, by the name of its asset or op."""
    step = context.get_step_execution_context()
    found = dict(_of_ops(step))
    found |= dict(_of_assets(context, step))
    return found


def _of_ops(step: StepExecutionContext) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """Ops upstream in the same run, or in the run it re-executes."""
    handles = {
        handle.step_key
        for step_input in step.step.step_inputs
        for handle in step_input.source.step_output_handle_dependencies
    }
    run_id: str | None = step.run_id
    while handles and run_id is not None:
        for entry in step.instance.all_logs(run_id, of_type=DagsterEventType.STEP_OUTPUT):
            if entry.step_key in handles and entry.dagster_event is not None:
                records = _records(entry.dagster_event.step_output_data.metadata)
                if records is not None:
                    handles.discard(entry.step_key)
                    yield entry.step_key.split(".")[-1].removesuffix("__notebook"), records
        run = step.instance.get_run_by_id(run_id)
        run_id = run.parent_run_id if run else None


def _of_assets(context: dg.OpExecutionContext, step: StepExecutionContext) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """Assets upstream, as they were last materialized: by this run, if they are in it."""
    if not step.job_def.asset_layer.get_assets_def_for_node(step.node_handle):
        return
    graph = step.job_def.asset_layer.asset_graph
    selected = context.selected_asset_keys if context.has_assets_def else set()
    parents = {parent for key in selected for parent in graph.get(key).parent_keys} - set(selected)
    for key in sorted(parents):
        materialization = _last_materialization(context, key, partitioned=graph.get(key).partitions_def is not None)
        records = _records(materialization.metadata) if materialization else None
        if records is not None:
            yield key.path[-1], records


def _last_materialization(
    context: dg.OpExecutionContext, key: dg.AssetKey, *, partitioned: bool
) -> dg.AssetMaterialization | None:
    """The last one, of this step's own partition where the upstream is partitioned too."""
    partitions = [context.partition_key] if partitioned and context.has_partition_key else None
    filters = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
    found = context.instance.fetch_materializations(filters, limit=1).records
    return found[0].asset_materialization if found else None


def _records(metadata: Mapping[str, Any]) -> Mapping[str, JSON] | None:
    value = metadata.get(RECORDS_KEY)
    return value.data if isinstance(value, dg.JsonMetadataValue) and isinstance(value.data, dict) else None


def _is_partitioned(context: dg.OpExecutionContext) -> bool:
    """Whether this step's own asset has partitions; the run's key may be meant for others."""
    if not context.has_assets_def:
        return True
    return context.assets_def.partitions_def is not None


def _window(context: dg.OpExecutionContext) -> dg.TimeWindow | None:
    if not context.has_assets_def:
        partitions = context.get_step_execution_context().run_partitions_def
    else:
        partitions = context.assets_def.partitions_def
    return context.partition_time_window if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else None
