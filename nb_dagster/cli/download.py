"""``nb-dagster download``: what a run has left, as files here."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from nb_dagster.cli.exit_codes import SUCCEEDED
from nb_dagster.cli.refusals import refusals
from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    from nb_dagster.runs.past_run import PastAttempt


@click.command(short_help="Fetch the notebooks and files of a run.")
@click.argument("run")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR", help="The folder.  [default: the run's id, here]"
)
@click.option("--notebook", is_flag=True, help="The executed notebooks.")
@click.option(
    "--artifacts", is_flag=True, help="The files they have handed out: artifacts, and outputs that are frames."
)
@click.option("--page", is_flag=True, help="Their pages, safe to open.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as one JSON list on standard output.")
def download(run: str, *, output: Path | None, notebook: bool, artifacts: bool, page: bool, as_json: bool) -> NoReturn:
    """Fetch what each attempt of a run has left, from a local or remote store: DIR/WORKFLOW-ATTEMPT/...

    RUN is a run's id or its beginning, or a workflow, which means its latest run. Notebooks and files, unless some of
    --notebook, --artifacts and --page say what. No file that exists is written over.

    \b
    Example:
      nb-dagster download 1a2b3c4d --output results
      nb-dagster download train --page
    """
    from nb_dagster.runs.history import history

    everything = not (notebook or artifacts or page)
    with refusals():
        with history() as asked:
            found = asked.run(run)
        if not found.attempts:
            raise RunRefused(f"run {found.run_id} has no executed notebook ({found.status})")
        folder = output or Path(found.run_id[:8])
        _check_folder(folder)
        with tempfile.TemporaryDirectory(prefix=".nb-dagster-", dir=folder.absolute().parent) as temporary:
            for attempt in found.attempts:
                into = Path(temporary) / f"{attempt.step}-{attempt.number}"
                into.mkdir(exist_ok=True)
                _fetch(attempt, into, notebook=notebook or everything, artifacts=artifacts or everything, page=page)
            written = _place(Path(temporary), folder)
    if as_json:
        click.echo(json.dumps([str(path) for path in written]))
    else:
        click.echo("\n".join(map(str, written)) or "nothing of that was left")
    sys.exit(SUCCEEDED)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunRefused(f"--output {folder} is a file; name a folder")
    if not folder.absolute().parent.is_dir():
        raise RunRefused(f"--output {folder}: there is no folder {folder.absolute().parent}")


def _fetch(attempt: PastAttempt, into: Path, *, notebook: bool, artifacts: bool, page: bool) -> None:
    """Copy what an attempt has left.

    Raises:
        RunRefused: its notebook is not there any more.
    """
    from nb_dagster.cli.export import page_of
    from nb_dagster.store.attempts import store_folder

    source = store_folder(attempt.executed_notebook)
    if not source.is_file():
        raise RunRefused(f"{attempt.executed_notebook}, of attempt {attempt.number}, is not there any more")
    if notebook:
        (into / source.name).write_bytes(source.read_bytes())
    if page:
        (into / f"{source.stem}.html").write_text(
            page_of(attempt.executed_notebook, source.stem, code=True), encoding="utf-8"
        )
    for path, name in _files(source) if artifacts else ():
        target = into / f"{source.stem}.files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as here, target.open("wb") as there:
            shutil.copyfileobj(here, there)


def _files(notebook: Any) -> Iterator[tuple[Any, str]]:
    """The files beside a notebook, and their names under their folder; links are none."""
    folder = notebook.parent / f"{notebook.stem}.files"
    for path in sorted(folder.rglob("*"), key=str) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            yield path, path.relative_to(folder).as_posix()


def _place(temporary: Path, folder: Path) -> list[Path]:
    """Move all files to where they are to be, or none.

    Raises:
        RunRefused: one of them exists.
    """
    files = [path.relative_to(temporary) for path in sorted(temporary.rglob("*")) if path.is_file()]
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        raise RunRefused(f"{folder / taken[0]} exists already, and is not written over; name another --output")
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(temporary / path, folder / path)
    return [folder / path for path in files]
