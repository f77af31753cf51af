"""``nb-dagster lab``: a workflow, or a run that failed, in JupyterLab."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    from nb_dagster.runner.run import NotebookRun


@click.command(short_help="Open a workflow, or a failed run, in JupyterLab.")
@click.argument("name", metavar="WORKFLOW_OR_RUN")
@click.option("-p", "--param", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@click.option("--params-file", type=click.Path(path_type=Path), help="Values as a JSON or YAML mapping; -p goes first.")
@click.option("--runtime", metavar="NAME", help="Open it in the newest image of this runtime.")
@click.option("--port", type=click.IntRange(1, 65535), help="On 127.0.0.1.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--json", "as_json", is_flag=True, help="Print address and folder as one JSON object, and open nothing.")
def lab(
    name: str,
    *,
    assignments: tuple[str, ...],
    params_file: Path | None,
    runtime: str | None,
    port: int | None,
    no_browser: bool,
    as_json: bool,
) -> NoReturn:
    """Open a copy of a workflow's notebook in JupyterLab, with its parameters and its latest upstream values at hand.

    Of a run, by its id: the notebook of the attempt that failed, with the parameters of that attempt. A workflow with an
    image is opened in that, others here. Only this machine can connect, with a token; Ctrl-C stops it. The copy stays,
    under .nb_dagster/lab; the source is not touched.

    \b
    Example:
      nb-dagster lab train -p n=400
      nb-dagster lab 1a2b3c4d
      nb-dagster lab train --runtime gpu --port 8888 --no-browser
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both leave nothing behind
    with refusals():
        run = _find(name, assignments, params_file)
        if runtime is not None:
            from nb_dagster.cli.lab_target import in_runtime

            run = in_runtime(run, runtime)
        _serve(run, port, open_it=not (no_browser or as_json), as_json=as_json)
    sys.exit(SUCCEEDED)


def _find(name: str, assignments: tuple[str, ...], params_file: Path | None) -> NotebookRun:
    from nb_dagster.cli.find import find_target
    from nb_dagster.cli.lab_target import of_run, of_workflow
    from nb_dagster.cli.parameters import read_parameters
    from nb_dagster.definitions.instance import open_history

    try:
        target = find_target(name, {})
    except RunRefused as unknown:
        with open_history() as instance:
            try:
                run = of_run(name, instance)
            except RunRefused as refused:
                raise (unknown if "has no run" in str(refused) else refused) from None
        if assignments or params_file:
            raise RunRefused("-p is for a workflow; a run has its own parameters") from None
        return run
    values = read_parameters(target.document.parameters, target.document.path, assignments, params_file)
    target.check(values)
    with open_history() as instance:
        return of_workflow(target, values, instance)


def _serve(run: NotebookRun, port: int | None, *, open_it: bool, as_json: bool) -> None:
    from nb_dagster.lab.server import serve
    from nb_dagster.lab.session import open_session

    with open_session(run) as session, serve(session, port) as server:
        if as_json:
            where = {"url": server.url, "folder": str(session.folder), "notebook": session.notebook}
            click.echo(json.dumps(where))
        else:
            click.echo(f"{session.folder / session.notebook}\n{server.url}\nCtrl-C stops it.")
        if open_it:
            click.launch(server.url)
        try:
            server.wait()
        except KeyboardInterrupt:
            return
