"""Jobs of notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from nb_dagster.definitions.op import notebook_op
from nb_dagster.definitions.tags import job_tags
from nb_dagster.executors.executor import notebook_executor


def notebook_job(
    name: str,
    notebooks: Sequence[str | os.PathLike[str] | dg.OpDefinition] | Callable[[], Any],
    *,
    description: str | None = None,
    executor_def: dg.ExecutorDefinition | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    config: Any = None,
    tags: Mapping[str, str] | None = None,
    hooks: set[dg.HookDefinition] | None = None,
    op_retry_policy: dg.RetryPolicy | None = None,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
) -> dg.JobDefinition:
    """Make a job of notebooks: independent ones, or ops that you wire.

    Args:
        name: the job's name.
        notebooks: paths of notebooks, or ops from :func:`notebook_op`, which run independently of one another; or a
            function that wires ops, as the body of a ``@dg.graph``.
        description: shown in Dagster.
        executor_def: how its steps are run; None takes ``notebook_executor``.
        resource_defs: resources of the job.
        config: default run config, as for ``@dg.job``.
        tags: tags of its runs.
        hooks: hooks of its steps.
        op_retry_policy: retries of steps that say nothing of their own.
        partitions_def: partitions of its runs.

    Example:
        >>> notebook_job("report", ["notebooks/a.ipynb", "notebooks/b.ipynb"])
        >>> notebook_job("nightly", lambda: report(load()))
    """
    if isinstance(notebooks, (str, os.PathLike)):
        raise TypeError(f"notebooks is a list of paths, or a function that wires ops, not the path {str(notebooks)!r}")
    ops: list[Any] = []
    if callable(notebooks):
        wire = notebooks
    else:
        ops = [each if isinstance(each, dg.OpDefinition) else _own_op(each, name) for each in notebooks]

        def wire() -> None:
            for op in ops:
                op()

    if description is None and len(ops) == 1:
        description = getattr(ops[0], "node_def", ops[0]).description

    @dg.graph(name=f"{name}__graph", description=description)  # an op may have the name of the job
    def graph() -> None:
        wire()

    job: dg.JobDefinition = graph.to_job(
        name=name,
        description=description,
        resource_defs=dict(resource_defs or {}),
        config=config,
        tags={**job_tags(graph), **(tags or {})},
        hooks=hooks,
        executor_def=executor_def or notebook_executor,
        op_retry_policy=op_retry_policy,
        partitions_def=partitions_def,
    )
    return job


def _own_op(path: str | os.PathLike[str], job: str) -> Any:
    """The op of a path, under the file's name in this job: another job may have an op of the same file."""
    op = notebook_op(path)
    own: Any = op.with_replaced_properties(name=f"{job}__{op.name}")
    return own.alias(op.name)
