"""The tag by which the history finds the runs of a notebook that is one of several in its job.

Most runs are found without one, by what Dagster stores anyway: by the name of their job, or by the asset that they were to
materialize. A tag that a job has costs nothing when its runs are made; a tag that is added later is a write of its own.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.storage.tags import SCHEDULED_EXECUTION_TIME_TAG

from nb_dagster.definitions.home import alone_with
from nb_dagster.definitions.worker import tag_worker
from nb_dagster.definitions.workflow import NOTEBOOK_TAG

_LONGEST = 63  # characters of a tag's name


def workflow_tag(workflow: str) -> str:
    """The tag of the runs that run a workflow."""
    return f"nb_dagster.workflow/{workflow[:_LONGEST]}"


def job_tags(graph: dg.GraphDefinition) -> dict[str, str]:
    """The tags of a graph's notebooks, for a job that is made of it."""
    steps = [(node.name, node.definition) for node in graph.nodes]
    return {workflow_tag(name): "true" for name, op in steps if NOTEBOOK_TAG in getattr(op, "tags", {})}


def tag_run(context: dg.OpExecutionContext, workflow: str) -> None:
    """See that the run of a step is found by the step's workflow; one of a schedule also says where it lives.

    A schedule waits for its runs, so it has to hear of one whose process was killed.

    Args:
        context: the step's context.
        workflow: its name.
    """
    if SCHEDULED_EXECUTION_TIME_TAG in context.run.tags:
        with alone_with(context.instance):
            tag_worker(context)
    if _is_found(context, workflow):
        return
    with alone_with(context.instance):  # two that add a tag to one run at once would lose one of them
        context.instance.add_run_tags(context.run_id, {workflow_tag(workflow): "true"})


def _is_found(context: dg.OpExecutionContext, workflow: str) -> bool:
    run = context.run
    if run.job_name == workflow or workflow_tag(workflow) in run.tags:
        return True
    keys = context.assets_def.keys if context.has_assets_def else set()
    return len(keys) == 1 and next(iter(keys)).path[-1] == workflow
