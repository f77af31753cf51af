"""What ``nb-dagster run`` runs: a notebook file as a job of its own, or a workflow of the workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.specs import find_kernel
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import CONTEXT_PARAMETERS, check_parameters
from nb_dagster.runner.events import Event
from nb_dagster.runner.result import NotebookResult

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Target:
    """One notebook to run.

    Attributes:
        document: the notebook.
        options: ``kernel``, ``cwd``, ``timeout``, ``cell_timeout``, ``single_flight`` as asked for on the command line.
        given: names of parameters that the definition gives values to.
        make_job: the Dagster job, and the name of its op.
        tags: those of the op; none of a file, which is an op by default.
    """

    document: NotebookDocument
    options: Mapping[str, Any]
    given: frozenset[str]
    make_job: Callable[[], tuple[dg.JobDefinition, str]]
    tags: Mapping[str, str] = field(default_factory=dict)

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse what can be refused before Dagster runs anything.

        Raises:
            RunRefused: a parameter is missing, the kernel is not installed, or the working directory does not exist.
        """
        document, cwd = self.document, self.options.get("cwd")
        elsewhere = {*CONTEXT_PARAMETERS, *self.given} - set(values)
        declared = {name: each for name, each in document.parameters.items() if name not in elsewhere}
        check_parameters(declared, values, document.path)
        self._check_kernel(self.options.get("kernel"))
        if cwd is not None and not os.path.isdir(cwd):
            raise RunRefused(
                f"the working directory {cwd} {'is no folder' if os.path.exists(cwd) else 'does not exist'}"
            )

    def _check_kernel(self, given: str | None) -> None:
        if not self.tags:
            find_kernel(given or self.document.kernel, self.document.path)
            return
        from nb_dagster.definitions.workflow import kernel_of  # brings Dagster, which has the tags

        kernel_of(self.tags, given)

    def run(
        self, values: Mapping[str, Any], listener: Callable[[Event], None], key: str | None = None
    ) -> NotebookResult:
        """Run it in this process, recorded in Dagster's history.

        Args:
            values: its parameters.
            listener: hears its events.
            key: an idempotency key; the run that it was used for before counts as this one.

        Raises:
            RunRefused: the notebook cannot run as asked for.
            RuntimeError: Dagster ended the run before the notebook started.
        """
        from nb_dagster.cli.in_process import run_in_process

        job, op_name = self.make_job()
        options = {name: value for name, value in self.options.items() if value is not None}
        config = {op_name: {"config": dict(values)}} if values else {}
        return run_in_process(job, config, options, listener, key=key, notebook=self.document.path)
