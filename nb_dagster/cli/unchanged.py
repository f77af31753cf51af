"""What of a pipeline has not changed since it last ran: its code, its parameters, and what comes before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import extract_data_provenance_from_entry
from dagster._core.execution.plan.plan import ExecutionPlan

from nb_dagster.runs.reading import step_name


@dataclass(frozen=True)
class Unchanged:
    """A step that needs no run.

    Attributes:
        name: the workflow.
        run_id: the run that has made its assets.
        keys: their keys.
    """

    name: str
    run_id: str
    keys: set[dg.AssetKey]


def unchanged_steps(
    job: dg.JobDefinition, plan: ExecutionPlan, config: Mapping[str, Any], instance: dg.DagsterInstance
) -> Iterator[Unchanged]:
    """The steps that need no run.

    A step is one where each of its assets was last made by the same code, with the parameters of this run, from what is the
    last of each upstream asset; and nothing that it comes after needs a run.

    Args:
        job: the job.
        plan: its steps.
        config: the run config.
        instance: the history.
    """
    fresh: set[dg.AssetKey] = set()
    ours = job.asset_layer.selected_asset_keys
    for step in plan.get_steps_to_execute_in_topo_order():
        assets = job.asset_layer.get_assets_def_for_node(step.node_handle)
        if assets is None:
            continue
        keys, before = set(assets.keys), set(assets.dependency_keys) - set(assets.keys)
        given = {**_defaults(assets), **(config.get("ops", {}).get(assets.op.name, {}).get("config") or {})}
        runs = [_made_by(instance, assets, key, given, before) for key in keys]
        if before & ours <= fresh and all(runs):
            fresh |= keys
            yield Unchanged(step_name(step.key), str(runs[0]), keys)


def _made_by(
    instance: dg.DagsterInstance,
    assets: dg.AssetsDefinition,
    key: dg.AssetKey,
    given: Mapping[str, Any],
    before: set[dg.AssetKey],
) -> str | None:
    """The run that has last made an asset, where it would be made the same way now."""
    entry = instance.get_latest_materialization_event(key)
    if entry is None or entry.asset_materialization is None:
        return None
    made = extract_data_provenance_from_entry(entry)
    recorded = entry.asset_materialization.metadata.get("parameters")
    parameters: Any = recorded.value if recorded is not None else {}
    if made is None or made.code_version != assets.code_versions_by_key.get(key):
        return None
    if any(name not in parameters or parameters[name] != value for name, value in given.items()):
        return None
    last = {each: _last(instance, each) for each in before}
    return entry.run_id if all(made.input_storage_ids.get(each) == last[each] for each in before) else None


def _last(instance: dg.DagsterInstance, key: dg.AssetKey) -> int | None:
    """Where the history has the last materialization of an asset."""
    found = instance.fetch_materializations(key, limit=1).records
    return found[0].storage_id if found else None


def _defaults(assets: dg.AssetsDefinition) -> dict[str, Any]:
    """The values that a launch which says nothing gives."""
    config: Any = assets.op.config_schema
    fields: Mapping[str, Any] = getattr(config.config_type, "fields", {})
    return {name: field.default_value for name, field in fields.items() if field.default_provided}
