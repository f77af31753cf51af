"""The summary for GitHub: whatever names and messages say, they are shown as they are, and mean nothing."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.cli.pipeline_result import PipelineResult, StepResult
from nb_dagster.cli.step_summary import MAX_DRAWN, append_summary, notebook_markdown, pipeline_markdown
from nb_dagster.notebook.records import Records
from nb_dagster.runner.result import NotebookResult

HOSTILE = 'a"]:::x\n```\n<img src=x onerror=1> | [b](javascript:1) `c` **d** :boom: @all https://evil.example _e_'


def _result(**changes: Any) -> NotebookResult:
    said: dict[str, Any] = {
        "status": "succeeded",
        "reason": None,
        "notebook": "a.ipynb",
        "workflow": "a",
        "run_id": "1a2b",
        "attempt": 1,
        "executed_notebook": "/kept/a_b.ipynb",
        "parameters": {},
        "records": Records(),
        "cells": [],
        "error": None,
        "duration_s": 1.25,
    }
    return NotebookResult(**{**said, **changes})


def _pipeline(*steps: StepResult) -> str:
    return pipeline_markdown(PipelineResult("nightly", "1a2b", "failed", None, 3.0, steps))


def test_names_and_reasons_are_no_markdown_no_html_and_no_drawing() -> None:
    said = _pipeline(StepResult(HOSTILE, "failed", HOSTILE, ()), StepResult("b", "not_run", HOSTILE, [HOSTILE]))
    drawing, table = said.split("```mermaid\n")[1].split("```\n", 1)
    assert "`" not in drawing + table
    assert [line.count('"') for line in drawing.splitlines() if "s0[" in line] == [2]
    assert "s0 --> s1" in drawing
    rows = table.strip().splitlines()
    assert [len(re.findall(r"\|", row)) for row in rows] == [7] * 4
    assert not set("<[*@") & set("".join(rows[2:]))
    assert "https://" not in table


def test_a_message_of_many_lines_has_its_first_one_in_the_table() -> None:
    assert "one" in (said := _pipeline(StepResult("a", "failed", "one\ntwo", ())))
    assert "two" not in said


def test_a_page_is_a_link_and_a_path_is_text() -> None:
    assert "/kept/a_b.ipynb |" in notebook_markdown(_result())
    assert "[page](http://h/a%29/) |" in notebook_markdown(_result(page="http://h/a)/"))


def test_a_large_pipeline_has_a_table_only() -> None:
    said = _pipeline(*(StepResult(f"train_{n}", "succeeded", None, ()) for n in range(MAX_DRAWN + 1)))
    assert "mermaid" not in said
    assert f"train_{MAX_DRAWN}" in said


def test_summaries_are_added_and_one_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    append_summary("nowhere", told)
    for file in (tmp_path / "summary.md", tmp_path / "none/summary.md"):
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
        append_summary("one\n", told)
        append_summary("two\n", told)
    assert (tmp_path / "summary.md").read_text() == "one\ntwo\n"
    assert told.getvalue().count("the summary was not written to") == 2
