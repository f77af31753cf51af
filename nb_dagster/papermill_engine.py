"""``papermill --engine nb_dagster``: papermill's interface with the kernels, the speed and the true record of nb_dagster."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import nbformat
from papermill.engines import Engine, NotebookExecutionManager
from papermill.exceptions import PapermillException
from papermill.iorw import papermill_io
from papermill.log import logger

from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.injection import INJECTED_TAG, PARAMETERS_TAG
from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.result import NotebookFailed, NotebookResult
from nb_dagster.runner.run import Limits, NotebookRun

_STATUS = {"succeeded": "completed", "skipped": "completed", "not_run": "pending"}


class NotebookEngine(Engine):  # type: ignore[misc]  # papermill is untyped
    """Runs a notebook whose parameters papermill has written, on a kernel of nb_dagster.

    The notebook is saved when it is over, not at every cell.

    Example:
        >>> papermill.execute_notebook("train.ipynb", "out.ipynb", {"n": 400}, engine_name="nb_dagster")
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        input_path: object = "",
        log_output: bool = False,
        stdout_file: IO[str] | None = None,
        stderr_file: IO[str] | None = None,
        execution_timeout: float | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Run it.

        Args:
            nb_man: papermill's state of the notebook.
            kernel_name: an installed kernel.
            input_path: where papermill read it, or the notebook itself.
            log_output: whether what it prints goes to papermill's log.
            stdout_file: takes what it prints.
            stderr_file: takes what it prints to ``stderr``.
            execution_timeout: seconds for each cell, as papermill has it.
            timeout: the same, as nbclient calls it.

        Raises:
            NotebookFailed: it was stopped, or its kernel died. (Papermill itself raises for an exception in a cell.)
            RunRefused: there is no such kernel.
        """
        _keep_pending(nb_man)
        folder = _folder_of_paths()
        with _place(nb_man.output_path, folder) as place:
            run = NotebookRun(
                notebook=_document(nb_man.nb, input_path, folder),
                output=place,
                kernel=kernel_name,
                cwd=os.getcwd(),  # papermill has changed to it
                limits=Limits(cell_timeout=execution_timeout or timeout),
            )
            background = BackgroundRun(run)
            try:
                for event in background.events():
                    _follow(nb_man, event, log_output=log_output, files={"stdout": stdout_file, "stderr": stderr_file})
            except BaseException:  # Ctrl-C, most of all
                background.cancel()
                _take_over(nb_man, background.result())
                raise
            result = background.result()
            _take_over(nb_man, result)
        if result.status not in ("succeeded", "skipped", "failed"):
            raise NotebookFailed(result)


@dataclass(frozen=True)
class _OutputPlace:
    """Papermill's output, which papermill has written once already, and will write again."""

    path: Path

    def check(self) -> None:
        """Papermill checks it."""

    def reserve(self) -> tuple[Path, Path]:
        return self.path, self.path.with_name(f".{self.path.name}.{os.getpid()}.journal")


def _keep_pending(nb_man: NotebookExecutionManager) -> None:
    """Papermill calls every cell complete that is before a failed one, or that no failed one is before; keep the truth."""
    complete = nb_man.notebook_complete

    def keep_and_complete(**options: Any) -> None:
        pending = [cell for cell in nb_man.nb.cells if cell.cell_type == "code" and _is_pending(cell)]
        complete(**options)
        for cell in pending:
            cell.metadata.papermill["status"] = nb_man.PENDING
        if pending:
            nb_man.save()

    nb_man.notebook_complete = keep_and_complete


def _is_pending(cell: Any) -> bool:
    return bool(cell.metadata.papermill["status"] == NotebookExecutionManager.PENDING)


def _folder_of_paths() -> str:
    """The folder that papermill's paths are relative to, which is not the one that it has changed to."""
    try:
        handler = papermill_io.get_handler("local")
        folder = handler.cwd(None)
        handler.cwd(folder)
    except (AttributeError, PapermillException):  # somebody's own way to read files
        folder = None
    return folder or os.getcwd()


@contextlib.contextmanager
def _place(output_path: str | None, folder: str) -> Iterator[_OutputPlace]:
    """Where the run writes: papermill's output, or a folder for the time of the run where that is none, or not local."""
    if output_path and "://" not in output_path and output_path != "-":
        yield _OutputPlace(Path(folder, output_path))
    else:
        with tempfile.TemporaryDirectory(prefix="nb-dagster-papermill-") as temporary:
            yield _OutputPlace(Path(temporary) / "out.ipynb")


def _document(notebook: Any, input_path: object, folder: str) -> NotebookDocument:
    """The notebook as one without parameters: they are in it."""
    raw = json.dumps(notebook)
    content = json.loads(raw)
    for cell in content["cells"]:
        tags = cell["metadata"].get("tags", [])
        cell["metadata"]["tags"] = [tag for tag in tags if tag not in (PARAMETERS_TAG, INJECTED_TAG)]
    path = input_path if isinstance(input_path, str) and input_path.endswith(".ipynb") else "notebook.ipynb"
    path = path if "://" in path else os.path.join(folder, path)
    return NotebookDocument(path, content, hashlib.sha256(raw.encode()).hexdigest())


def _follow(
    nb_man: NotebookExecutionManager, event: events.Event, *, log_output: bool, files: dict[str, IO[str] | None]
) -> None:
    """Papermill's progress bar, log and files."""
    if isinstance(event, events.CellFinished):
        if nb_man.pbar:
            nb_man.pbar.n = event.result.index + 1
            nb_man.pbar.refresh()
    elif isinstance(event, events.Stream):
        if log_output:
            logger.log(30 if event.name == "stderr" else 20, event.text)
        file = files[event.name]
        if file is not None:
            file.write(event.text)
            file.flush()


def _take_over(nb_man: NotebookExecutionManager, result: NotebookResult) -> None:
    """Make the executed notebook papermill's, with what papermill says of each cell."""
    executed: Any = nbformat.read(result.executed_notebook, as_version=4)  # type: ignore[no-untyped-call]
    executed.metadata.nb_dagster.parameters = copy.deepcopy(nb_man.nb.metadata.papermill.get("parameters", {}))
    executed.metadata.papermill = nb_man.nb.metadata.papermill
    for cell, source in zip(executed.cells, nb_man.nb.cells, strict=True):
        cell.metadata = {**source.metadata, **cell.metadata, "tags": source.metadata.tags}
        if cell.cell_type == "code":
            cell.metadata.papermill = _cell_state(cell.metadata.nb_dagster)
    executed.metadata.papermill["exception"] = None if result.ok else True
    nb_man.nb = executed


def _cell_state(ended: dict[str, Any]) -> dict[str, Any]:
    started, over = ended["started"], ended["ended"]
    seconds = (datetime.fromisoformat(over) - datetime.fromisoformat(started)).total_seconds() if over else None
    status = _STATUS.get(ended["status"], "failed")
    return {
        "start_time": started,
        "end_time": over,
        "duration": seconds,
        "status": status,
        "exception": status == "failed" if over else None,
    }
