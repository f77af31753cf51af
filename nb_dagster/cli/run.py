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

from nb_dagster.cli.exit_codes import CANCELLED, EXIT_CODES, INFRASTRUCTURE, USAGE
from nb_dagster.cli.parameters import read_parameters
from nb_dagster.cli.terminal import Terminal, own_terminal
from nb_dagster.errors import RunRefused
from nb_dagster.runner.result import NotebookResult

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Run a notebook now, here.")
@click.argument("notebook", metavar="NOTEBOOK_OR_WORKFLOW")
@click.option("-p", "--param", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@click.option("--params-file", type=click.Path(path_type=Path), help="Values as a JSON or YAML mapping; -p goes first.")
@click.option("--kernel", help="An installed kernel's name, instead of the notebook's own.")
@click.option("--cwd", type=click.Path(path_type=Path), help="Working directory, instead of the notebook's folder.")
@click.option("--timeout", type=_SECONDS, help="Seconds for the whole run.")
@click.option("--cell-timeout", type=_SECONDS, help="Seconds for each cell.")
@click.option("--output", type=click.Path(path_type=Path), help="A copy of the executed notebook is written here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on standard output.")
def run(
    notebook: str,
    *,
    assignments: tuple[str, ...],
    params_file: Path | None,
    as_json: bool,
    output: Path | None,
    **options: Any,
) -> NoReturn:
    """Run a notebook file, or a workflow of this folder's workspace.yaml, and wait for it.

    The run is in Dagster's history: in $DAGSTER_HOME where it is set, else in .nb_dagster under this folder.

    \b
    Example:
      nb-dagster run train.ipynb -p n=400 -p day=2026-01-31 -p 'tags=["a","b"]'

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
    from nb_dagster.cli.find import find_target

    try:
        target = find_target(notebook, options)
        values = read_parameters(target.document, assignments, params_file)
        target.check(values)
        _check_output(output)
    except (RunRefused, ValueError) as refused:
        click.echo(f"nb-dagster: {refused}", err=True)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is a Ctrl-C
    with own_terminal() as terminal:
        sys.exit(_run(target, values, terminal, output, as_json=as_json))


def _run(target: Any, values: dict[str, Any], terminal: Terminal, output: Path | None, *, as_json: bool) -> int:
    from nb_dagster.cli.progress import show_progress, summary

    try:
        with show_progress(terminal.stderr) as listener:
            result = target.run(values, listener)
    except KeyboardInterrupt:
        terminal.stderr.write("nb-dagster: cancelled before the notebook started\n")
        return CANCELLED
    except RunRefused as refused:
        terminal.stderr.write(f"nb-dagster: {refused}\n")
        return USAGE
    except Exception as error:  # the boundary: whatever else broke is infrastructure, and is said in one line
        terminal.stderr.write(f"nb-dagster: {type(error).__name__}: {error}\n")
        return INFRASTRUCTURE
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


def _check_output(output: Path | None) -> None:
    if output is None:
        return
    if output.suffix != ".ipynb":
        raise RunRefused(f"--output {output}: an executed notebook is an .ipynb file")
    if output.exists():
        raise RunRefused(f"--output {output} exists already, and no run overwrites another's notebook; name another")
    nearest = next(folder for folder in output.absolute().parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise RunRefused(f"--output {output} cannot be written: {nearest} is no folder that can be written to")


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
