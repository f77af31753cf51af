"""Dagster runs of notebooks in this process, and what a person then finds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd
from tests.notebooks import executed_notebooks


@dataclass(frozen=True)
class DagsterRun:
    """A finished run.

    Attributes:
        result: Dagster's.
        instance: where it is recorded.
        store: where its executed notebooks are.
    """

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance
    store: Path

    def log(self, step: str | None = None) -> list[str]:
        """Messages of the engine events, in order: what the run's page shows of a notebook."""
        entries = self.instance.all_logs(self.result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        return [
            entry.dagster_event.message or ""
            for entry in entries
            if entry.dagster_event is not None and step in (None, entry.step_key)
        ]

    def attempt_metadata(self, step: str) -> list[Mapping[str, dg.MetadataValue[Any]]]:
        """Metadata of the event that ends each attempt."""
        entries = self.instance.all_logs(self.result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        events = [entry.dagster_event for entry in entries if entry.step_key == step]
        return [
            event.engine_event_data.metadata for event in events if event is not None and _ends_attempt(event.message)
        ]

    def metadata(self, *key: str) -> Mapping[str, dg.MetadataValue[Any]]:
        """Metadata of an asset's last materialization."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(key))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata

    def values(self, *key: str) -> dict[str, Any]:
        """The same, as plain values."""
        return {name: value.value for name, value in self.metadata(*key).items()}

    def is_materialized(self, *key: str) -> bool:
        """Whether an asset was materialized, by this run or another of the instance."""
        return self.instance.get_latest_materialization_event(dg.AssetKey(key)) is not None

    def failure(self, step: str) -> dg.Failure:
        """The failure of a step, as its own page shows it."""
        data = self.result.failure_data_for_node(step)
        assert data is not None
        assert data.user_failure_data is not None
        failure = data.user_failure_data
        return dg.Failure(failure.description, failure.metadata)

    def executed(self, workflow: str) -> list[Path]:
        """The executed notebooks of a workflow, oldest first."""
        return executed_notebooks(self.store, workflow)


def _ends_attempt(message: str | None) -> bool:
    return message is not None and message.startswith("notebook ") and ", attempt " in message


def new_instance(store: Path) -> dg.DagsterInstance:
    """An instance in memory, its stored values beside the executed notebooks."""
    return dg.DagsterInstance.ephemeral(str(store.parent / "dagster"))


def materialize(
    store: Path,
    *assets: dg.AssetsDefinition | dg.AssetSpec,
    config: Mapping[str, Any] | None = None,
    instance: dg.DagsterInstance | None = None,
    resources: Mapping[str, Any] | None = None,
    selection: Sequence[str] | None = None,
    partition_key: str | None = None,
) -> DagsterRun:
    """Materialize assets in this process.

    Args:
        store: where executed notebooks are kept.
        *assets: the assets.
        config: parameters by asset name.
        instance: where the run is recorded; None takes one that is forgotten.
        resources: resources beside the store.
        selection: names of the assets to materialize; None takes all.
        partition_key: the partition.
    """
    instance = instance or new_instance(store)
    result = dg.materialize(
        assets,
        run_config={"ops": {f"{name}__notebook": {"config": values} for name, values in (config or {}).items()}},
        instance=instance,
        resources={**nbd.resources(str(store)), **(resources or {})},
        selection=selection,
        partition_key=partition_key,
        raise_on_error=False,
    )
    return DagsterRun(result, instance, store)


def execute(store: Path, job: dg.JobDefinition, config: Mapping[str, Any] | None = None, **options: Any) -> DagsterRun:
    """Execute a job in this process.

    Args:
        store: where executed notebooks are kept.
        job: the job.
        config: parameters by op name.
        **options: further options of ``execute_in_process``.
    """
    instance = new_instance(store)
    run_config = {"ops": {name: {"config": values} for name, values in (config or {}).items()}}
    result = job.execute_in_process(
        run_config,
        instance=instance,
        raise_on_error=False,
        resources=nbd.resources(str(store)),
        **options,
    )
    return DagsterRun(result, instance, store)
