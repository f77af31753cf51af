"""What ``nb-dagster run`` runs: a notebook file as a job of its own, or a workflow of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
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
        options: ``kernel``, ``cwd``, ``timeout`` and ``cell_timeout`` as asked for on the command line.
        given: names of parameters that the definition gives values to.
        make_job: the Dagster job, and the name of its op.
    """

    document: NotebookDocument
    options: Mapping[str, Any]
    given: frozenset[str]
    make_job: Callable[[], tuple[dg.JobDefinition, str]]

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse what can be refused before Dagster runs anything.

        Raises:
            RunRefused: a parameter is missing, the kernel is not installed, or the working directory does not exist.
        """
        document, cwd = self.document, self.options.get("cwd")
        elsewhere = {*CONTEXT_PARAMETERS, *self.given} - set(values)
        declared = {name: each for name, each in document.parameters.items() if name not in elsewhere}
        check_parameters(declared, values, document.path)
        find_kernel(self.options.get("kernel") or document.kernel, document.path)
        if cwd is not None and not Path(cwd).is_dir():
            raise RunRefused(
                f"the working directory {cwd} {'is no folder' if Path(cwd).exists() else 'does not exist'}"
            )

    def run(self, values: Mapping[str, Any], listener: Callable[[Event], None]) -> NotebookResult:
        """Run it in this process, recorded in Dagster's history.

        Raises:
            RunRefused: the notebook cannot run as asked for.
            RuntimeError: Dagster ended the run before the notebook started.
        """
        from dagster._core.errors import DagsterExecutionInterruptedError

        from nb_dagster.cli.history import open_history
        from nb_dagster.definitions.here import Follower, follow

        job, op_name = self.make_job()
        config = {
            "ops": {op_name: {"config": dict(values)}} if values else {},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }
        results: list[NotebookResult] = []

        def keep_result(result: NotebookResult) -> None:
            results.append(result)
            run = instance.get_run_by_id(result.run_id)
            if result.status == "cancelled" and run is not None:
                instance.report_run_canceling(run)  # or Dagster takes the interrupt for a failure

        interrupted: BaseException | None = None
        options = {name: value for name, value in self.options.items() if value is not None}
        with open_history() as instance, follow(Follower(listener, options, on_end=keep_result)):
            try:
                executed = job.execute_in_process(
                    config, instance=instance, raise_on_error=False, resources=_stored_values(job)
                )
            except BaseException as error:
                interrupted = error
        if results and not results[-1].ok:
            return results[-1]
        if isinstance(interrupted, (KeyboardInterrupt, DagsterExecutionInterruptedError)):
            raise KeyboardInterrupt
        if interrupted is not None:
            raise interrupted
        failures = [event.step_failure_data for event in executed.all_events if event.is_step_failure]
        if results:
            return _judge(results[-1], failures)
        if _was_interrupted(executed):
            raise KeyboardInterrupt
        said = [failure.error_display_string for failure in failures]
        raise RuntimeError("; ".join(said).splitlines()[0] if said else "the run ended before the notebook started")


def _was_interrupted(executed: Any) -> bool:
    """Whether a Ctrl-C came before the notebook started; Dagster then tells of a failure."""
    errors = [getattr(event.event_specific_data, "error", None) for event in executed.all_events]
    named = " ".join(f"{error.cls_name} {error.message}" for error in errors if error is not None)
    unsaid = not any(event.is_step_failure for event in executed.all_events)
    return unsaid or "DagsterExecutionInterruptedError" in named or "KeyboardInterrupt" in named


def _judge(result: NotebookResult, failures: list[Any]) -> NotebookResult:
    """The result of a notebook that succeeded; its step may have failed for what it did not hand out, or for a check."""
    if not failures:
        return result
    failure = failures[-1]
    kind, _, words = " ".join(failure.error.message.split()).partition(": ")
    if kind.endswith("DagsterExecutionHandleOutputError"):
        raise RuntimeError(words)
    said = failure.user_failure_data and failure.user_failure_data.description
    return replace(result, status="failed", reason=said or words)


def _stored_values(job: dg.JobDefinition) -> dict[str, Any]:
    """Values on disk, as other runs leave and find them: Dagster would keep those of such a run in memory only."""
    from dagster import FilesystemIOManager
    from dagster._core.definitions.job_definition import default_job_io_manager

    is_default = job.resource_defs.get("io_manager") is default_job_io_manager
    return {"io_manager": FilesystemIOManager()} if is_default else {}
