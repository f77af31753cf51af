"""``nb-dagster run``: a notebook, now, here, and in the history like any other run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from nb_dagster.cli.exit_codes import EXIT_CODES, INFRASTRUCTURE
from nb_dagster.cli.parameters import read_parameters
from nb_dagster.cli.refusals import runs_without_result, usage_errors
from nb_dagster.cli.terminal import Terminal, own_terminal
from nb_dagster.runner.place import check_output
from nb_dagster.runner.result import NotebookResult

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Run a notebook now, here.")
@click.argument("notebook", metavar="NOTEBOOK_OR_WORKFLOW", required=False)
@click.option("--pipeline", metavar="NAME", help="Run a pipeline instead: several workflows in one run.")
@click.option("--partition", metavar="KEY", help="Of a pipeline: the partition of the run.")
@click.option("--from-failure", metavar="RUN", help="Of a pipeline: go on from that failed run, what succeeded stays.")
@click.option("--skip-unchanged", is_flag=True, help="Of a pipeline: leave out what has not changed since it last ran.")
@click.option("-p", "--param", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@click.option("--params-file", type=click.Path(path_type=Path), help="Values as a JSON or YAML mapping; -p goes first.")
@click.option("--kernel", help="An installed kernel's name, instead of the notebook's own.")
@click.option("--cwd", type=click.Path(path_type=Path), help="Working directory, instead of the notebook's folder.")
@click.option("--timeout", type=_SECONDS, help="Seconds for the whole run.")
@click.option("--cell-timeout", type=_SECONDS, help="Seconds for each cell.")
@click.option(
    "--single-flight",
    type=click.Choice(["refuse", "queue"]),
    help="What to do while another run of it has not ended: give up, or wait.",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Names this launch: of all with one key only the first runs, the others give its result.",
)
@click.option("--output", type=click.Path(path_type=Path), help="A copy of the executed notebook is written here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on standard output.")
def run(
    notebook: str | None,
    *,
    pipeline: str | None,
    partition: str | None,
    from_failure: str | None,
    skip_unchanged: bool,
    assignments: tuple[str, ...],
    params_file: Path | None,
    as_json: bool,
    output: Path | None,
    idempotency_key: str | None,
    **options: Any,
) -> NoReturn:
    """Run a notebook file, or a workflow of this folder's workspace.yaml or nb_dagster.yaml, and wait for it.

    The run is in Dagster's history: in $DAGSTER_HOME where it is set, else in .nb_dagster under this folder.

    \b
    Example:
      nb-dagster run train.ipynb -p n=400 -p day=2026-01-31 -p 'tags=["a","b"]'
      nb-dagster run --pipeline nightly -p region=us -p train.n=400

    \b
    Exit codes:
      0    succeeded, or skipped itself
      1    the notebook failed
      2    refused: wrong use, parameter or file; nothing was started
      3    timed out
      4    the kernel died
      5    infrastructure
      130  cancelled
    """
    said = {"--output": output, "--idempotency-key": idempotency_key}
    said |= {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    of_notebooks = [name for name, value in said.items() if value is not None]
    of_pipelines = {
        "--partition": partition,
        "--from-failure": from_failure,
        "--skip-unchanged": skip_unchanged or None,
    }
    _check_usage(notebook, pipeline, of_notebooks, [name for name, value in of_pipelines.items() if value is not None])
    if pipeline is not None:
        from nb_dagster.cli.run_pipeline import run_pipeline

        run_pipeline(
            pipeline,
            assignments,
            params_file,
            partition=partition,
            failed_run=from_failure,
            skip_unchanged=skip_unchanged,
            as_json=as_json,
        )
    from nb_dagster.cli.find import find_target

    with usage_errors(ValueError):
        target = find_target(str(notebook), options)
        values = read_parameters(target.document.parameters, target.document.path, assignments, params_file)
        target.check(values)
        if output is not None:
            check_output(output, f"--output {output}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is a Ctrl-C
    with own_terminal() as terminal:
        sys.exit(_run(target, values, terminal, output, as_json=as_json, key=idempotency_key))


def _check_usage(notebook: str | None, pipeline: str | None, of_notebooks: list[str], of_pipelines: list[str]) -> None:
    """Refuse options that do not go together.

    Args:
        notebook: the notebook or workflow.
        pipeline: the pipeline.
        of_notebooks: options that are given, and that only a notebook has.
        of_pipelines: the same of pipelines.
    """
    if pipeline is None:
        if notebook is None:
            raise click.UsageError("say what to run: a notebook, a workflow, or --pipeline NAME")
        if of_pipelines:
            raise click.UsageError(f"{of_pipelines[0]} is for --pipeline")
        return
    if notebook is not None:
        raise click.UsageError(f"{notebook} and --pipeline {pipeline}: run one of both")
    if of_notebooks:
        raise click.UsageError(f"{of_notebooks[0]} is for a notebook; of a pipeline's workflows the project says it")
    if "--from-failure" in of_pipelines and len(of_pipelines) > 1:
        raise click.UsageError(
            "--from-failure goes on with the failed run as it was; leave the other options of it out"
        )


def _run(
    target: Any, values: dict[str, Any], terminal: Terminal, output: Path | None, *, as_json: bool, key: str | None
) -> int:
    from nb_dagster.cli.progress import show_progress, summary
    from nb_dagster.cli.step_summary import append_summary, notebook_markdown

    with runs_without_result("the notebook", terminal.stderr), show_progress(terminal.stderr) as listener:
        result = target.run(values, listener, key)
    append_summary(notebook_markdown(result), terminal.stderr)
    code = INFRASTRUCTURE if result.is_infrastructure else EXIT_CODES[result.status]
    if output is not None:
        try:
            result = _copy_notebook(result, output)
        except OSError as error:
            terminal.stderr.write(f"nb-dagster: no copy was written to {output} ({error})\n")
            code = INFRASTRUCTURE
    if as_json:
        terminal.stdout.write(json.dumps(result.to_json(), ensure_ascii=False) + "\n")
    else:
        terminal.stdout.write(summary(result) + "\n")
    return code


def _copy_notebook(result: NotebookResult, output: Path) -> NotebookResult:
    """A copy where it was asked for; never half of one, never over another."""
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".nb-dagster-", dir=output.parent) as folder:
        whole = Path(folder) / output.name
        if "://" in result.executed_notebook:
            from upath import UPath

            whole.write_bytes(UPath(result.executed_notebook).read_bytes())
        else:
            shutil.copyfile(result.executed_notebook, whole)
        os.link(whole, output)
    return replace(result, executed_notebook=str(output))
