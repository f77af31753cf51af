"""What a command runs: a notebook file, as a job of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb_dagster.definitions.listening import Listener
from nb_dagster.errors import RunRefused, UnreadableNotebook
from nb_dagster.kernel.specs import find_kernel
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import CONTEXT_PARAMETERS, check_parameters
from nb_dagster.runner.events import Event, Finished
from nb_dagster.runner.result import NotebookResult


@dataclass(frozen=True)
class FileTarget:
    """A notebook file.

    Attributes:
        document: the notebook.
        options: ``kernel``, ``cwd``, ``timeout`` and ``cell_timeout`` of the run.
    """

    document: NotebookDocument
    options: dict[str, Any]

    def check(self, values: dict[str, Any]) -> None:
        """Refuse what can be refused before Dagster is loaded.

        Raises:
            RunRefused: a parameter is missing, the kernel is not installed, or the working directory does not exist.
        """
        document, cwd = self.document, self.options.get("cwd")
        declared = {n: p for n, p in document.parameters.items() if n in values or n not in CONTEXT_PARAMETERS}
        check_parameters(declared, values, document.path)
        find_kernel(self.options.get("kernel") or document.kernel, document.path)
        if cwd is not None and not Path(cwd).is_dir():
            raise RunRefused(f"the working directory {cwd} does not exist")

    def run(self, values: dict[str, Any], listener: Listener) -> NotebookResult:
        """Run it as a Dagster job of one op, in this process, recorded in the history.

        Raises:
            RunRefused: the notebook cannot run as asked for.
            RuntimeError: Dagster ended the run before the notebook did.
        """
        from nb_dagster.cli.history import open_history
        from nb_dagster.definitions.job import notebook_job
        from nb_dagster.definitions.listening import listen
        from nb_dagster.definitions.op import notebook_op

        op = notebook_op(self.document.path, **self.options)
        job = notebook_job(op.name, [op])
        config = {
            "ops": {op.name: {"config": values}} if values else {},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }
        results: list[NotebookResult] = []

        def follow(event: Event) -> None:
            listener(event)
            if isinstance(event, Finished):
                results.append(event.result)

        interrupted: BaseException | None = None
        with open_history() as instance, listen(follow):
            try:
                executed = job.execute_in_process(config, instance=instance, raise_on_error=False)
            except BaseException as error:  # a cancel: the notebook's own end says so
                interrupted = error
        if results:
            return results[-1]
        if interrupted is not None:
            raise interrupted
        failures = [event.event_specific_data for event in executed.all_events if event.is_failure]
        raise RuntimeError(f"the run ended before the notebook started: {failures}")


def find_target(name: str, options: dict[str, Any]) -> FileTarget:
    """The notebook that a person means.

    Raises:
        UnreadableNotebook: there is no such file.
    """
    looks_like_file = "/" in name or name.endswith((".ipynb", ".py", ".md")) or Path(name).exists()
    if not looks_like_file:
        raise UnreadableNotebook(f"there is no notebook file {name!r} (a path like notebooks/{name}.ipynb)")
    return FileTarget(NotebookDocument.read(name), options)
