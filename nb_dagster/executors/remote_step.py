"""A notebook step in a container or pod of its own, which ends with the process of its run."""

from __future__ import annotations

import os
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.executor.step_delegating import StepHandlerContext

from nb_dagster.definitions.compute import IN_STEP_VARIABLE, RETRY_ON_TAG, VARIABLES_TAG
from nb_dagster.definitions.resource import store_of_job
from nb_dagster.definitions.worker import RUN_WORKER_VARIABLE, Worker, close_lost_runs
from nb_dagster.errors import RunRefused
from nb_dagster.executors.step import FAILURES, STOP_SECONDS, Step, end_told, key_of
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.folders import KEPT_PREFIX, KEPT_VARIABLE, kept_if_used, private_folder
from nb_dagster.kernel.remote import EngineFailed, RemoteProcess


class RemoteStep(Step):
    """A notebook step that is not in the process of its run.

    Args:
        job: the job, as Dagster can load it again.
        context: what Dagster says of the step.
        compute: where it runs, and with what.
        tags: those of its op.
    """

    def __init__(self, job: Any, context: StepHandlerContext, compute: Compute, tags: Mapping[str, str]) -> None:
        self._job, self._context, self._compute, self._tags = job, context, compute, tags
        self._key = key_of(context)
        self._command = list(context.execute_step_args.get_command_args())
        self._process: RemoteProcess | None = None
        self._is_stopping = threading.Event()
        self._is_refused, self._words = False, ""
        self._thread = threading.Thread(target=self._work, name=self._key)  # the process waits for its end

    @abstractmethod
    def _begin(self, folder: Path, kept: Path) -> RemoteProcess:
        """Start the step.

        Args:
            folder: a private folder of this process.
            kept: the folder that takes a notebook which cannot be where it should.

        Raises:
            RunRefused: its runtime has no image.
            EngineFailed: it cannot be started.
        """

    def start(self) -> None:
        """Make the container or pod, and wait for its end, in the background."""
        self._thread.start()

    def is_running(self) -> bool:
        """Whether the container or pod is being made, or runs."""
        return self._thread.is_alive()

    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""
        return self._process is not None and self._process.returncode == 0

    def stop(self) -> None:
        """Interrupt the step as Dagster does, and kill it where that does not end it."""
        self._is_stopping.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(STOP_SECONDS)
        if self._process is not None and self._thread.is_alive():
            self._process.kill()
            self._thread.join(STOP_SECONDS)

    def may_retry(self) -> bool:
        """Whether its workflow wants another attempt after such an end; what was refused is refused again."""
        if self._is_refused:
            return False
        failure = "killed" if self._process is not None and self._process.is_out_of_memory else "infrastructure"
        return RETRY_ON_TAG not in self._tags or failure in self._tags[RETRY_ON_TAG].split(",")

    def how_it_ended(self) -> str:
        """How it ended, in words."""
        return self._words or super().how_it_ended()

    def _work(self) -> None:
        kept = Path(tempfile.mkdtemp(prefix=KEPT_PREFIX))  # the container's own places go with it
        try:
            with private_folder() as folder, kept_if_used(kept):
                code = self._run(folder, kept)
        except (EngineFailed, RunRefused) as error:
            self._is_refused = isinstance(error, RunRefused)
            self._words = f"was not started: {error}"
            return
        except Exception as error:  # what Dagster's own libraries raise of settings that they cannot read
            self._words = f"was not started: {type(error).__name__}: {error}"
            return
        if code:
            self._recover()

    def _run(self, folder: Path, kept: Path) -> int:
        self._process = self._begin(folder, kept)
        if self._is_stopping.is_set():  # the cancel came while it was being made
            self._process.terminate()
        code = self._process.wait()
        self._words = self._process.how_it_ended()
        is_kept = self._compute.keep_failed and (bool(code) or end_told(self._context) in FAILURES)
        self._clear(self._process, kept, is_kept=is_kept)
        return code

    def _clear(self, process: RemoteProcess, kept: Path, *, is_kept: bool) -> None:  # noqa: ARG002 - for pods
        """Remove what it ran in, unless it is kept to be looked into."""
        if not is_kept:
            process.remove()

    def _environment(self, kept: Path, said: Mapping[str, str]) -> dict[str, str]:
        """The variables of the step: what its worker has, what the deployment says, and where it is."""
        passed = {name: os.environ[name] for name in ("DAGSTER_HOME", "NB_DAGSTER_PAGES") if name in os.environ}
        own = {"DAGSTER_RUN_JOB_NAME": self._context.dagster_run.job_name, "DAGSTER_RUN_STEP_KEY": self._key}
        where = {IN_STEP_VARIABLE: "1", KEPT_VARIABLE: str(kept), RUN_WORKER_VARIABLE: str(Worker.of())}
        return {**passed, **said, **own, **where}

    def _secret(self) -> dict[str, str]:
        """The variables that have its secrets, and that only the step sees."""
        names = [each for each in self._tags.get(VARIABLES_TAG, "").split(",") if each]
        return {name: os.environ[name] for name in names if name in os.environ}

    def _recover(self) -> None:
        """Make the notebook of what was killed from its journal."""
        instance = self._context.instance
        close_lost_runs(instance, store_of_job(self._job.get_definition(), instance).recover())
