"""``nb-dagster run --pipeline``: several notebooks in one run, now, here."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nb_dagster.cli.refusals import runs_without_result, usage_errors
from nb_dagster.cli.terminal import Terminal, own_terminal
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    import dagster as dg

    from nb_dagster.cli.pipeline_run import PipelineRun


def run_pipeline(
    name: str,
    assignments: tuple[str, ...],
    params_file: Path | None,
    *,
    partition: str | None,
    failed_run: str | None,
    skip_unchanged: bool,
    as_json: bool,
) -> NoReturn:
    """Run a pipeline, and end the process as it ended.

    Args:
        name: the pipeline, or another job of notebooks of this folder.
        assignments: ``NAME=VALUE``, or ``WORKFLOW.NAME=VALUE``, each.
        params_file: the same as a mapping.
        partition: the partition of the run.
        failed_run: the run that it goes on from: its id, its beginning, or the pipeline's name for its latest.
        skip_unchanged: leave out what has not changed since it last ran.
        as_json: print one JSON object.
    """
    from nb_dagster.cli.pipeline import Pipeline, load_job, partition_tags
    from nb_dagster.cli.pipeline_run import PipelineRun
    from nb_dagster.definitions.instance import open_history

    with usage_errors(ValueError):
        pipeline = Pipeline(load_job(name))
        pipeline.check()
        with open_history() as instance:
            parent = _parent(instance, name, failed_run) if failed_run else None
            config = pipeline.config(assignments, params_file, parent.run_config if parent else None)
            tags = partition_tags(parent) if parent else pipeline.partition_tags(partition, instance)
            if tags and skip_unchanged:
                raise RunRefused(f"{name} has partitions, and --skip-unchanged is for pipelines without")
            run = PipelineRun(pipeline, instance, config, tags, parent, skip_unchanged)
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is a Ctrl-C
            with own_terminal() as terminal:
                sys.exit(_run(run, terminal, as_json=as_json))


def _parent(instance: dg.DagsterInstance, pipeline: str, name: str) -> dg.DagsterRun:
    """The run whose failure a new one goes on from.

    Raises:
        RunRefused: there is none, it is of another job, or it has not failed.
    """
    from nb_dagster.runs.finding import find_run

    run = find_run(instance, name)
    if run.job_name != pipeline:
        raise RunRefused(f"run {run.run_id} is of {run.job_name}, not of {pipeline}")
    if run.status.value not in ("FAILURE", "CANCELED"):
        raise RunRefused(
            f"run {run.run_id} of {pipeline} has not failed (it is {run.status.value.lower()}), and --from-failure goes on "
            "from one that has"
        )
    return run


def _run(run: PipelineRun, terminal: Terminal, *, as_json: bool) -> int:
    from nb_dagster.cli.pipeline_screen import PipelineScreen, pipeline_summary
    from nb_dagster.cli.step_summary import append_summary, pipeline_markdown

    with runs_without_result("any notebook", terminal.stderr):
        result = run.execute(PipelineScreen(terminal.stderr))
    append_summary(pipeline_markdown(result), terminal.stderr)
    said = json.dumps(result.to_json(), ensure_ascii=False) if as_json else pipeline_summary(result)
    terminal.stdout.write(f"{said}\n")
    return result.exit_code
