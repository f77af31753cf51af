"""``nb-dagster check``: what is wrong with a project, without running any of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED, USAGE

if TYPE_CHECKING:
    from nb_dagster.project.problems import Problem


@click.command(short_help="Check a project without running it.")
@click.argument("project", metavar="[FILE_OR_FOLDER]", type=click.Path(path_type=Path, exists=True), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def check(project: Path, *, as_json: bool) -> NoReturn:
    """Check an nb_dagster.yaml, or the notebooks of a folder: keys, notebooks, parameters, names, kernels, schedules.

    Exits with 2 where there is an error; a warning is none.

    \b
    Example:
      nb-dagster check
      nb-dagster check my_project/nb_dagster.yaml --json
    """
    from nb_dagster.project.check import pipeline_rows, problems_of, workflow_rows
    from nb_dagster.project.problems import ProjectRefused
    from nb_dagster.project.project import NotebookProject

    rows: list[dict[str, Any]] = []
    pipelines: list[dict[str, Any]] = []
    try:
        plan = NotebookProject.from_yaml(project).plan()
        problems, rows, pipelines = problems_of(plan), workflow_rows(plan), pipeline_rows(plan)
    except ProjectRefused as refused:
        problems = refused.problems
    has_error = any(each.level == "error" for each in problems)
    if as_json:
        told = [_as_json(each) for each in problems]
        found = {"ok": not has_error, "workflows": rows, "pipelines": pipelines, "problems": told}
        click.echo(json.dumps(found, ensure_ascii=False, default=str))
    else:
        _print(rows, pipelines, problems)
    sys.exit(USAGE if has_error else SUCCEEDED)


def _as_json(problem: Problem) -> dict[str, Any]:
    from nb_dagster.project.problems import dotted

    plain = {name: getattr(problem, name) for name in ("level", "file", "line", "column", "message")}
    return {**plain, "key": dotted(problem.key)}


def _print(rows: list[dict[str, Any]], pipelines: list[dict[str, Any]], problems: list[Problem]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in ("workflow", "notebook", "after"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["notebook"], ", ".join(row["after"]))
    if rows:
        console = Console(width=None if sys.stdout.isatty() else 10_000)  # a file has no edge
        console.print(table, markup=False, crop=False)
    for each in pipelines:
        click.echo(f" {each['name']}: {', '.join(each['workflows'])}")
    schedules = {row["schedule"]["name"]: row["schedule"] for row in (*rows, *pipelines) if row["schedule"]}
    for schedule in schedules.values():
        off = "" if schedule["enabled"] else ", off"
        rhythm = schedule["cron"] or f"every {schedule['every']}"
        times = ", ".join(schedule["next"]) or "never again"
        click.echo(f" {schedule['name']} ({rhythm}, {schedule['timezone']}{off}): {times}")
    sys.stdout.flush()
    for problem in problems:
        click.echo(f"{problem.level}: {problem}", err=True)
    counts = {level: sum(each.level == level for each in problems) for level in ("error", "warning")}
    click.echo(f"workflows: {len(rows)}, errors: {counts['error']}, warnings: {counts['warning']}")
