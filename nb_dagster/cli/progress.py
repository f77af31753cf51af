"""A run as a person follows it: a progress bar on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nb_dagster.definitions.here import Listener
from nb_dagster.kernel.memory import in_words
from nb_dagster.runner import events
from nb_dagster.runner.result import NotebookResult


@contextlib.contextmanager
def show_progress(target: TextIO) -> Iterator[Listener]:
    """A listener that shows a run's events on ``target``."""
    if not target.isatty():
        yield _Lines(target)
        return
    console = Console(file=target, force_terminal=True)
    columns = (TextColumn("{task.fields[workflow]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    memory = TextColumn("{task.fields[memory]}")
    with Progress(*columns, memory, TextColumn("{task.description}"), console=console, transient=True) as progress:
        yield _Bar(progress)


class _Lines:
    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._cells = 0
        self._first_line = ""
        self._at_start = True

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Started):
            self._cells = event.cells
        elif isinstance(event, events.CellStarted):
            self._first_line = event.first_line
        elif isinstance(event, events.CellFinished):
            result = event.result
            self._print(
                f"{'' if self._at_start else chr(10)}cell {event.number}/{self._cells} {result.status} {result.duration_s:.2f} s  {self._first_line}\n"
            )
        elif isinstance(event, events.Stream):
            self._print(event.text)
        elif isinstance(event, events.Warned):
            self._print(f"warning: {event.message}\n")
        elif isinstance(event, events.Waiting):
            self._print(f"{event.message}\n")
        elif isinstance(event, events.Usage):
            self._print(f"{'' if self._at_start else chr(10)}{_usage(event)}\n")

    def _print(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()
        self._at_start = text.endswith("\n") if text else self._at_start


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None, workflow="", memory="")

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Started):
            self._progress.update(self._task, total=event.cells, workflow=event.workflow)
        elif isinstance(event, events.CellStarted):
            self._progress.update(self._task, description=event.first_line.replace("[", r"\["))
        elif isinstance(event, events.CellFinished):
            self._progress.update(self._task, advance=1)
        elif isinstance(event, events.Stream):
            self._progress.console.print(event.text, end="", markup=False, highlight=False)
        elif isinstance(event, events.Warned):
            self._progress.console.print(f"warning: {event.message}", markup=False)
        elif isinstance(event, events.Waiting):
            self._progress.console.print(event.message, markup=False)
        elif isinstance(event, events.Usage):
            self._progress.update(self._task, memory=in_words(event.memory))


def summary(result: NotebookResult) -> str:
    """A finished run in a few lines."""
    words = f"{result.status}: {result.reason}" if result.reason else result.status
    lines = [f"{result.workflow} {words} ({result.duration_s:.2f} s{_peak(result)})"]
    if result.error is not None:
        lines += ["", result.error.traceback, ""]
    lines += record_lines(result)
    lines.append(f"  executed notebook: {result.executed_notebook}")
    return "\n".join(lines)


def record_lines(result: NotebookResult) -> list[str]:
    """What a run has handed out, a line each."""
    shown = {**result.records.to_json()["outputs"], **result.metrics}
    lines = [f"  {name} = {_short(value)}" for name, value in shown.items()]
    lines += [f"  {name}: {path}" for name, path in result.artifacts.items()]
    return lines + [f"  check {name}: {'passed' if passed else 'FAILED'}" for name, passed in result.checks.items()]


def _peak(result: NotebookResult) -> str:
    return f", {in_words(result.peak_memory)}" if result.peak_memory else ""


def _usage(event: events.Usage) -> str:
    return f"running for {event.elapsed_s:.0f} s with {in_words(event.memory)}, {in_words(event.peak_memory)} at most"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:99] + "…"
