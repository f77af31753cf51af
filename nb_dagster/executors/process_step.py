"""A step in a subprocess, as Dagster's multiprocess executor has it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from dagster._core.executor.step_delegating import StepHandlerContext

from nb_dagster.executors.step import STOP_SECONDS, Step


class ProcessStep(Step):
    """A step that runs no notebook, in a subprocess."""

    def __init__(self, context: StepHandlerContext) -> None:
        arguments = context.execute_step_args
        environment = {each["name"]: each["value"] for each in arguments.get_command_env()}
        program, *rest = arguments.get_command_args()
        self._command = [*([sys.executable, "-m", "dagster"] if program == "dagster" else [program]), *rest]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(self._command, env=self._environment)

    def is_running(self) -> bool:
        """Whether the process is still going."""
        return self._process is not None and self._process.poll() is None

    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""
        return self._process is not None and self._process.returncode == 0

    def stop(self) -> None:
        """Interrupt the process as Dagster does, and kill it where that does not end it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
