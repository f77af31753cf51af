"""The attempts in a store: found by their folders, and their status read from the end of the notebook."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from upath import UPath

from nb_dagster.direct import run_notebook
from nb_dagster.store.attempts import attempts, find_attempt, read_facts, store_folder, workflows
from nb_dagster.store.notebooks import NotebookStore
from tests.notebooks import write_notebook
from tests.pages.stores import code, keep, notebook, output


def test_they_are_listed_newest_first(tmp_path: Path) -> None:
    for folder in ("2026-01-31T020000Z-1a2b3c4d-1", "2026-02-01T020000Z-5e6f7a8b-1", "2026-01-31T020000Z-1a2b3c4d-2"):
        keep(tmp_path, notebook(), folder=folder)
    found = attempts(tmp_path, "train")
    assert [(each.started.day, each.run, each.number) for each in found] == [
        (1, "5e6f7a8b", 1),
        (31, "1a2b3c4d", 2),
        (31, "1a2b3c4d", 1),
    ]


def test_folders_of_another_form_are_none(tmp_path: Path) -> None:
    keep(tmp_path, notebook(), folder="notes")
    keep(tmp_path, notebook(), folder="2026-99-31T020000Z-1a2b3c4d-1")
    (tmp_path / ".running").mkdir()
    assert attempts(tmp_path, "train") == []
    assert workflows(tmp_path) == ["train"]
    assert attempts(tmp_path / "none", "train") == []


def test_the_status_of_a_run_is_what_its_notebook_says(tmp_path: Path) -> None:
    result = run_notebook(write_notebook(tmp_path / "a.ipynb", "1 / 0"), output=tmp_path / "out.ipynb")
    said = read_facts(Path(result.executed_notebook))
    assert (said["status"], said["reason"]) == (result.status, result.reason)


def test_it_is_read_from_the_end_of_a_big_notebook(tmp_path: Path) -> None:
    path = keep(tmp_path, notebook(code("", output(text_plain="x" * 1_000_000)), parameters={"n": "y" * 100_000}))
    assert read_facts(path)["parameters"]["n"].startswith("yy")


def test_a_text_that_looks_like_metadata_is_none(tmp_path: Path) -> None:
    fake = '\n "metadata": {"nb_dagster": {"status": "succeeded"}}'
    path = keep(tmp_path, notebook(code(fake), status="failed"))
    assert read_facts(path)["status"] == "failed"


def test_a_broken_notebook_says_nothing(tmp_path: Path) -> None:
    path = keep(tmp_path, notebook())
    for content in (b"", b'\n "metadata": {', b'\n "metadata": {"nb_dagster": 3}}', b"\xff"):
        path.write_bytes(content)
        assert read_facts(path) == {}
    assert read_facts(tmp_path / "none.ipynb") == {}


def test_the_copy_for_the_viewer_is_not_the_notebook(tmp_path: Path) -> None:
    path = keep(tmp_path, notebook())
    path.with_name("train.view.ipynb").write_text("{}")
    (attempt,) = attempts(tmp_path, "train")
    assert attempt.notebook == path


def test_the_newest_successful_one_until_a_date_is_found(tmp_path: Path) -> None:
    keep(tmp_path, notebook(), folder="2026-01-01T020000Z-aaaaaaaa-1")
    keep(tmp_path, notebook(status="failed"), folder="2026-01-02T020000Z-bbbbbbbb-1")
    keep(tmp_path, notebook(), folder="2026-01-03T020000Z-cccccccc-1")
    (tmp_path / "train" / "2026-01-04T020000Z-dddddddd-1").mkdir()  # it still runs
    found = attempts(tmp_path, "train")
    until = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)

    def run(*, succeeded: bool, until: datetime | None = None) -> str:
        attempt = find_attempt(found, succeeded=succeeded, until=until)
        assert attempt is not None
        return attempt.run[0]

    assert run(succeeded=False) == "c"
    assert run(succeeded=False, until=until) == "b"
    assert run(succeeded=True, until=until) == "a"
    assert find_attempt(found, succeeded=True, until=datetime(2025, 1, 1, tzinfo=timezone.utc)) is None


def test_a_remote_store_has_them_too() -> None:
    path = UPath("memory://attempts/notebooks/train/2026-01-31T020000Z-1a2b3c4d-1/train.ipynb")
    path.parent.mkdir(parents=True)
    path.write_text('{\n "cells": [],\n "metadata": {"nb_dagster": {"status": "killed"}}\n}')
    root = store_folder("memory://attempts/notebooks")
    assert workflows(root) == ["train"]
    assert [attempt.facts() for attempt in attempts(root, "train")] == [{"status": "killed"}]


def test_the_store_of_a_run_is_found_where_the_run_put_it(tmp_path: Path) -> None:
    place = NotebookStore(tmp_path).place("my workflow", run_id="0123456789", attempt=2, notebook="a.b")
    notebook_path, _ = place.reserve()
    notebook_path.write_text("{}")
    (attempt,) = attempts(tmp_path, "my workflow")
    assert (attempt.run, attempt.number, attempt.notebook) == ("01234567", 2, notebook_path)
