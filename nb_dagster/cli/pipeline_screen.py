"""A pipeline's run as a person follows it: a line when a notebook starts, one when it ends, a table at the end."""

from __future__ import annotations

import threading
from typing import TextIO

from nb_dagster.cli.pipeline_result import PipelineResult, StepResult
from nb_dagster.runner import events


class PipelineScreen:
    """A listener that shows the notebooks of a run, which tell of themselves in several threads.

    Args:
        target: where to.
    """

    def __init__(self, target: TextIO) -> None:
        self._target, self._lock = target, threading.Lock()

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Started):
            self._print(f"{event.workflow} started")
        elif isinstance(event, events.Finished):
            result = event.result
            words = f"{result.status}: {result.reason}" if result.reason else result.status
            self._print(f"{result.workflow} {words} ({result.duration_s:.2f} s)")

    def _print(self, line: str) -> None:
        with self._lock:
            self._target.write(f"{line}\n")
            self._target.flush()


def pipeline_summary(result: PipelineResult) -> str:
    """A finished run in a table, and where its notebooks are."""
    words = f"{result.status}: {result.reason}" if result.reason else result.status
    lines = [f"{result.name} {words} ({result.duration_s:.2f} s)"]
    width = max(len(each.name) for each in result.steps)
    lines += [f"  {each.name:<{width}}  {_words(each)}" for each in result.steps]
    return "\n".join([*lines, f"  run {result.run_id}"] if result.run_id else lines)


def _words(step: StepResult) -> str:
    if step.result is None:
        return f"{step.status}{f': {step.reason}' if step.reason else ''}"
    return f"{step.status:<10} {step.result.duration_s:7.2f} s  {step.result.executed_notebook}"
