"""The summary of a run on the page of its GitHub Actions job: its steps as a drawing and a table, in Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from nb_dagster.cli.pipeline_result import PipelineResult, StepResult
from nb_dagster.runner.result import NotebookResult

VARIABLE = "GITHUB_STEP_SUMMARY"
MAX_DRAWN = 200
"""Steps up to which there is a drawing; GitHub refuses larger ones."""
_LONGEST = 300  # characters of a text in the table
_MEANS_SOMETHING = re.compile(r"[^\w\s.,;:/=%()…-]|(?<![^\W_])_|_(?![^\W_])|:(?!\s)")  # a colon: in links and emoji
_COLOURS = {
    "succeeded": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "skipped": "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
    "not_run": "fill:#f6f8fa,stroke:#59636e,color:#59636e,stroke-dasharray:4",
    "failed": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "timed_out": "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    "killed": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "cancelled": "fill:#f6f8fa,stroke:#59636e,color:#1f2328",
}


def append_summary(markdown: str, stderr: TextIO) -> None:
    """Add to the summary of this GitHub Actions job; nothing elsewhere.

    Args:
        markdown: what to add.
        stderr: told where it cannot be written, which ends no run.
    """
    file = os.environ.get(VARIABLE)
    if not file:
        return
    try:
        with open(file, "a", encoding="utf-8", errors="backslashreplace") as summary:
            summary.write(markdown)
    except OSError as error:
        stderr.write(f"nb-dagster: the summary was not written to {file} ({error})\n")


def pipeline_markdown(result: PipelineResult) -> str:
    """The summary of a pipeline."""
    return _markdown(result.name, result.status, result.duration_s, result.run_id, result.steps)


def notebook_markdown(result: NotebookResult) -> str:
    """The summary of one notebook."""
    step = StepResult(result.workflow, result.status, result.reason, (), result)
    return _markdown(result.workflow, result.status, result.duration_s, result.run_id, [step])


def _markdown(name: str, status: str, seconds: float, run_id: str | None, steps: Sequence[StepResult]) -> str:
    lines = [
        f"## {_text(name)}: {_text(status)}",
        "",
        f"Run {_text(run_id)}, {seconds:.1f} s" if run_id else "Nothing to run",
        "",
    ]
    if 1 < len(steps) <= MAX_DRAWN:
        lines += ["```mermaid", *_drawing(steps), "```", ""]
    lines += ["| workflow | status | duration | metrics | error | executed notebook |", "|---|---|---:|---|---|---|"]
    return "\n".join([*lines, *map(_row, steps)]) + "\n\n"


def _drawing(steps: Sequence[StepResult]) -> Iterator[str]:
    """A flow chart; its nodes are called by number, so that no name is a word of Mermaid's."""
    yield "flowchart LR"
    ids = {step.name: f"s{number}" for number, step in enumerate(steps)}
    for step in steps:
        yield f'  {ids[step.name]}["{_label(step.name)}<br/>{_label(step.status)}"]:::{step.status}'
    for step in steps:
        yield from (f"  {ids[each]} --> {ids[step.name]}" for each in step.after if each in ids)
    for status in dict.fromkeys(step.status for step in steps):
        yield f"  classDef {status} {_COLOURS[status]}"


def _row(step: StepResult) -> str:
    result = step.result
    metrics = ", ".join(f"{name} {value:g}" for name, value in result.metrics.items()) if result else ""
    seconds = f"{result.duration_s:.1f} s" if result else ""
    cells = [step.name, step.status, seconds, metrics, _error(step)]
    return f"| {' | '.join([*map(_text, cells), _notebook(result)])} |"


def _error(step: StepResult) -> str:
    """Why a step did not succeed: the failing cell and the first line of its error."""
    error = step.result.error if step.result and step.status == "failed" else None
    if error is None:
        return (step.reason or "").partition("\n")[0]
    line = f", line {error.line}" if error.line else ""
    return f"cell {error.number}{line}: {error.type}: {error.message}".partition("\n")[0]


def _notebook(result: NotebookResult | None) -> str:
    if result is None:
        return ""
    if result.page:
        return f"[page]({_address(result.page)})"
    path = result.executed_notebook
    is_here = "://" not in path and Path(path).is_relative_to(Path.cwd())
    return _text(os.path.relpath(path) if is_here else path, longest=1_000)


def _text(text: str, longest: int = _LONGEST) -> str:
    """Text as it is, on one line: nothing of it is Markdown, HTML, or the end of a cell."""
    line = " ".join(text.split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return _MEANS_SOMETHING.sub(lambda found: f"&#{ord(found[0])};", line)


def _label(text: str) -> str:
    """Text in a node of Mermaid's, which has codes of its own for what means something to it."""
    line = " ".join(text.split())[:_LONGEST]
    return re.sub(r"[^\w\s.,-]", lambda found: f"#{ord(found[0])};", line)


def _address(url: str) -> str:
    """An address that no character of ends the link."""
    return re.sub(r"[\s()<>|\\\[\]]", lambda found: f"%{ord(found[0]):02X}", url)
