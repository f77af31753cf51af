"""The notebook as it was when its run was submitted, although somebody has edited the file meanwhile."""

from __future__ import annotations

import functools

import dagster as dg

from nb_dagster.definitions.workflow import SOURCE_TAG, Workflow, notebook_cache
from nb_dagster.errors import RunRefused
from nb_dagster.notebook.document import NotebookDocument


def submitted_document(context: dg.OpExecutionContext, workflow: Workflow) -> NotebookDocument:
    """The version of a notebook that a step is to run.

    The file as this process has read it, unless it was changed after the run was submitted: then the version that the
    code location had loaded at that time, by the hash in the run's plan.

    Raises:
        RunRefused: that version is not kept.
    """
    document = workflow.document
    if document.changed is None or document.changed <= _submitted_at(context.instance, context.run_id):
        return document
    sha256 = _submitted_hash(context)
    if sha256 is None or sha256 == document.sha256:
        return document
    submitted = notebook_cache().find(document.path, sha256)
    if submitted is None:
        raise RunRefused(
            f"{document.path} was changed after the run was submitted, and the version that was submitted "
            f"({sha256[:12]}) is not kept here any more; launch the run again"
        )
    context.log.warning("%s was changed after the run was submitted; the submitted version runs", document.path)
    return submitted


@functools.lru_cache(maxsize=8)
def _submitted_at(instance: dg.DagsterInstance, run_id: str) -> float:
    """When the first thing happened to a run, in seconds since the epoch: the history's own clock has whole seconds."""
    first = instance.get_records_for_run(run_id, limit=1).records
    return first[0].event_log_entry.timestamp if first else float("inf")


def _submitted_hash(context: dg.OpExecutionContext) -> str | None:
    """The notebook's hash in the plan that was made when the run was submitted."""
    plan_id = context.run.execution_plan_snapshot_id
    if plan_id is None:
        return None
    key = context.get_step_execution_context().step.key
    steps = context.instance.get_execution_plan_snapshot(plan_id).steps
    return next(((step.tags or {}).get(SOURCE_TAG) for step in steps if step.key == key), None)
