"""How each contender runs a notebook in this process, the way its documentation says."""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import nbclient
import nbformat
import papermill

import nb_dagster as nbd

os.environ.setdefault("PLOOMBER_STATS_ENABLED", "false")  # its telemetry would only add to its time
from ploomber_engine import execute_notebook  # type: ignore[import-untyped]

Contender = Callable[[Path, Path], None]

OURS = "nb_dagster"
PAPERMILL = "papermill"
SAVING_ONCE = "papermill saving once"
NBCLIENT = "nbclient"
PLOOMBER = "ploomber-engine"


def ours(notebook: Path, folder: Path) -> None:
    """Our runner, in this process."""
    nbd.run_notebook(notebook, output=_output(folder)).raise_for_status()


def papermill_default(notebook: Path, folder: Path) -> None:
    """papermill's API as it comes: the notebook is saved after each cell."""
    papermill.execute_notebook(str(notebook), str(_output(folder)), progress_bar=False)


def papermill_saving_once(notebook: Path, folder: Path) -> None:
    """papermill at its fastest setting: saved at the end only, so nothing is kept of a run that is killed."""
    papermill.execute_notebook(
        str(notebook), str(_output(folder)), progress_bar=False, request_save_on_cell_execute=False
    )


def with_nbclient(notebook: Path, folder: Path) -> None:
    """nbclient, and a write of the notebook."""
    node = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    nbclient.NotebookClient(node, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(node, _output(folder))  # type: ignore[no-untyped-call]


def with_ploomber(notebook: Path, folder: Path) -> None:
    """ploomber-engine, which has no process for the notebook: its cells run in ours."""
    execute_notebook(notebook, _output(folder), progress_bar=False, cwd=folder)


CONTENDERS: dict[str, Contender] = {
    OURS: ours,
    PAPERMILL: papermill_default,
    SAVING_ONCE: papermill_saving_once,
    NBCLIENT: with_nbclient,
    PLOOMBER: with_ploomber,
}


def warm_up(notebook: Path, folder: Path) -> None:
    """Run a notebook of ours until its fork server is up, as in any process that has run a few."""
    for _ in range(3):
        ours(notebook, folder)
        time.sleep(1.5)


def _output(folder: Path) -> Path:
    return folder / f"{uuid.uuid4()}.ipynb"
