"""What ``nb-dagster lab`` opens: a workflow as it would run now, or an attempt as it ran."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.cli.find import find_target
from nb_dagster.cli.target import Target
from nb_dagster.cli.workspace import find_job
from nb_dagster.definitions.look import look_at_step
from nb_dagster.definitions.workflow import NOTEBOOK_TAG
from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.run import NotebookRun
from nb_dagster.runs.finding import find_run
from nb_dagster.runs.past_run import PastAttempt
from nb_dagster.runs.reading import read_run, step_name


def of_workflow(target: Target, values: Mapping[str, Any], instance: dg.DagsterInstance) -> NotebookRun:
    """What a workflow would run now, with the latest from upstream.

    Args:
        target: the workflow, or notebook file.
        values: values of parameters that go before its own.
        instance: the history.

    Raises:
        RunRefused: it would not run.
    """
    job, op = target.make_job()
    run = dg.DagsterRun(job_name=job.name, run_id=str(uuid.uuid4()), run_config=_config(op, values))
    return look_at_step(job, op, run, instance, options={})


def of_run(name: str, instance: dg.DagsterInstance) -> NotebookRun:
    """What the last attempt of a run has run; of one that failed, the last that failed.

    The cells are those of the executed notebook, and parameters those of that attempt.

    Args:
        name: the run's id, or how it begins.
        instance: the history.

    Raises:
        RunRefused: there is no such run, it has run no notebook to an end, or its definition is gone.
    """
    run = find_run(instance, name)
    record = instance.get_run_record_by_id(run.run_id)
    attempt = read_run(instance, record).last if record is not None else None
    if attempt is None:
        raise RunRefused(f"the run {run.run_id} has run no notebook to an end yet")
    job, key, source = _step_of(run, attempt, instance)
    op = key.rsplit(".", 1)[-1]
    ops: Any = run.run_config.get("ops") or {}
    own = ops.get(op, {})
    again = dg.DagsterRun(
        job_name=job.name,
        run_id=run.run_id,
        run_config=run.run_config if "." in key else {"ops": {op: own}} if own else {},
        tags=run.tags,
        root_run_id=run.root_run_id,
        parent_run_id=run.parent_run_id,
        execution_plan_snapshot_id=run.execution_plan_snapshot_id,
    )
    started = attempt.ended.timestamp() - attempt.duration_s
    would = look_at_step(job, key, again, instance, options={}, as_of=started)
    document = NotebookDocument.read(attempt.executed_notebook)
    cwd = would.cwd or (None if "://" in source else os.path.dirname(source))
    given = {name: value for name, value in attempt.parameters.items() if name in document.parameters}
    return replace(would, notebook=document, cwd=cwd, attempt=attempt.number, parameters={**would.parameters, **given})


def in_runtime(run: NotebookRun, name: str) -> NotebookRun:
    """The same in the newest image of a runtime of this folder's project.

    Raises:
        RunRefused: there is no such runtime, or no image of it.
        EngineFailed: the engine does not answer.
    """
    from nb_dagster.project.runtimes import ProjectRuntimes
    from nb_dagster.runtimes.images import image_of

    found = ProjectRuntimes.read(Path(), home=Path())
    found.find(name)
    image = image_of(found.project, name)
    in_docker = run.compute.is_container and not run.compute.is_pod
    own = replace(run.compute, runtime=None, version=None, image=image) if in_docker else None
    return replace(run, compute=own or Compute("docker-kernel", image=image))


def _step_of(
    run: dg.DagsterRun, attempt: PastAttempt, instance: dg.DagsterInstance
) -> tuple[dg.JobDefinition, str, str]:
    """The job of an attempt as it is defined now, the key of its step, and the path of its source."""
    plan = instance.get_execution_plan_snapshot(str(run.execution_plan_snapshot_id))
    planned = next(step for step in plan.steps if step_name(step.key) == attempt.step)
    source = str((planned.tags or {}).get(NOTEBOOK_TAG))
    try:
        job, op = find_target(attempt.workflow, {}).make_job()
    except RunRefused as unknown:
        if not run.job_name.startswith("__"):
            try:
                return find_job(run.job_name), planned.key, source
            except RunRefused:
                pass
        if "://" not in source and not os.path.exists(source):
            raise unknown from None
        job, op = find_target(source, {}).make_job()
    return job, op, source


def _config(op: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"ops": {op: {"config": dict(values)}}} if values else {}
