"""Compute logs of steps that share one process: each kernel's text goes to the log of its own step.

Dagster's own capture redirects the descriptors of the whole process, which steps in threads share.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from nb_dagster.definitions.here import follow, follower


class ThreadLogs(NoOpComputeLogManager):
    """Captures what a step in a thread writes to its follower's streams, and leaves the process's descriptors alone.

    Args:
        manager: the instance's compute log manager, which stores the logs.
    """

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self._manager = manager

    @contextlib.contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Open the step's own streams for this thread."""
        with contextlib.ExitStack() as stack:
            stdout = stack.enter_context(self._manager.open_log_stream(log_key, ComputeIOType.STDOUT))
            stderr = stack.enter_context(self._manager.open_log_stream(log_key, ComputeIOType.STDERR))
            with follow(replace(follower(), streams=(stdout or io.StringIO(), stderr or io.StringIO()))):
                yield CapturedLogContext(log_key)
        if hasattr(self._manager, "complete_artifact_path"):  # how the local manager marks a log's end
            Path(self._manager.complete_artifact_path(log_key)).touch()
