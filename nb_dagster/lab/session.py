"""A folder with a copy of a notebook, as it would run: its parameters injected, and no outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.containers.process import InContainer
from nb_dagster.nb import CONTEXT_VARIABLE
from nb_dagster.runner.executed import new_notebook, write_notebook
from nb_dagster.runner.handover import hand_over
from nb_dagster.runner.prepared import Prepared, prepare
from nb_dagster.runner.run import NotebookRun

PARENT = Path(".nb_dagster", "lab")
"""Where such folders are, under this one; they stay."""


@dataclass(frozen=True)
class Session:
    """A notebook that is ready to be opened.

    Attributes:
        folder: its folder, which stays.
        notebook: its name in the folder.
        cwd: the working directory of its kernel.
        environment: variables for JupyterLab, and so for its kernels.
        spare: a folder with the ``nb`` module alone, for kernels without nb_dagster.
        container: the container it is opened in; None for none.
    """

    folder: Path
    notebook: str
    cwd: Path
    environment: dict[str, str]
    spare: Path
    container: InContainer | None


@contextlib.contextmanager
def open_session(run: NotebookRun) -> Iterator[Session]:
    """Make the folder; what the notebook finds of its run, secrets too, is in another one, gone after the block.

    Args:
        run: what would run.

    Raises:
        RunRefused: it could not.
    """
    if run.compute.is_pod:
        raise RunRefused(
            "JupyterLab opens beside this process or in Docker, not in a pod; name an image with --runtime"
        )
    prepared = prepare(run)
    folder = _new_folder(prepared.workflow)
    files = folder / "files"
    prepared = replace(prepared, context={**prepared.context, **_own_data(run, folder)})
    name = f"{prepared.document.name}.ipynb"
    write_notebook(folder / name, new_notebook(_unmarked(prepared)))
    files.mkdir()
    with hand_over(prepared, files) as handover:
        spare = Path(handover.environment[CONTEXT_VARIABLE]).parent / "spare"
        place = handover.place
        container = place if isinstance(place, InContainer) else None
        if container is not None:
            container = replace(container, folders=[*container.folders, str(folder)])
        yield Session(folder, name, prepared.cwd, handover.environment, spare, container)


def _new_folder(workflow: str) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    PARENT.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = (PARENT / f"{workflow}-{stamp}{'' if number == 1 else f'-{number}'}").absolute()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)  # it has the parameters
            return folder
    raise FileExistsError(f"{PARENT} has a thousand folders of this second")


def _own_data(run: NotebookRun, folder: Path) -> dict[str, Any]:
    """What the notebooks of one run share is looked at where there is some, and is a folder of its own where there is none."""
    shared = run.context.get("data")
    return {} if isinstance(shared, str) and Path(shared).is_dir() else {"data": str(folder / "data")}


def _unmarked(prepared: Prepared) -> dict[str, Any]:
    """The notebook without what the record says of a run that this is none of."""
    content = dict(prepared.content)
    content["metadata"] = {key: value for key, value in content["metadata"].items() if key != "nb_dagster"}
    for cell in content["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key != "nb_dagster"}
    return content
