"""What we write and read for a notebook stays under its root, whatever it is called and whoever put a link there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.nb import MIME_TYPE, inside
from nb_dagster.notebook import records
from nb_dagster.notebook.records import read_records
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import NotebookRun
from nb_dagster.store.notebooks import NotebookStore, slug
from nb_dagster.store.view import view_of, write_view
from tests.hostile import NAMES, NO_NAMES, TEXTS
from tests.notebooks import write_notebook

ANY_NAME = TEXTS | st.sampled_from(NAMES) | st.lists(st.sampled_from(["..", "/", "a", "%2e", "\\", "%2f"])).map("".join)


def outside(root: Path) -> dict[str, bytes | None]:
    """All that is beside a folder, with what is in it."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(root.parent.rglob("*"))
        if path != root and not path.is_relative_to(root)
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a neighbour of nearly its name, and with a link to that."""
    (tmp_path / "root-evil").mkdir()
    (tmp_path / "root-evil" / "theirs.txt").write_text("theirs")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-evil")
    (tmp_path / "root" / "link.txt").symlink_to(tmp_path / "root-evil" / "theirs.txt")
    return tmp_path / "root"


class TestNames:
    """Names of a notebook's files."""

    @given(ANY_NAME)
    def test_a_name_is_under_its_folder_or_refused_in_words(self, name: str) -> None:
        folder = Path("/no/such/folder")
        try:
            path = inside(folder, name)
        except ValueError as refused:
            why = str(refused)
        else:
            why = ""
            assert folder in path.parents
            assert ".." not in path.parts
            assert max(len(part.encode()) for part in path.parts) <= 200
        assert not why or ("is no name inside the run's folder" in why and len(why) < 500)

    @pytest.mark.parametrize("name", NAMES)
    def test_what_leads_elsewhere_is_refused_and_what_looks_like_it_is_a_name_like_any(self, name: str) -> None:
        folder = Path("/no/such/folder")
        if name in NO_NAMES:
            with pytest.raises(ValueError, match="is no name inside the run's folder"):
                inside(folder, name)
        else:
            assert folder in inside(folder, name).parents

    @pytest.mark.parametrize("name", ["link/x", "link", "link.txt", "link/theirs.txt", "sub/../link/x"])
    def test_a_link_to_elsewhere_is_refused(self, root: Path, name: str) -> None:
        with pytest.raises(ValueError, match="is no name inside the run's folder"):
            inside(root, name)

    def test_a_folder_that_is_itself_a_link_has_no_inside(self, root: Path) -> None:
        data = {MIME_TYPE: {"kind": "artifact", "name": "theirs.txt", "file": "theirs.txt"}}
        with pytest.raises(ValueError, match="is no name inside the run's folder"):
            read_records(data, root / "link")


HAND_OUT = f"""
import os, numpy
NAMES = {NAMES!r}
PNG = b"\\x89PNG"
files = os.path.splitext(os.environ["OUT"])[0] + ".files"
os.makedirs(files + "/sub", exist_ok=True)
os.symlink(os.environ["EVIL"], files + "/link")
said = {{}}
for name in (*NAMES, "link/x", "sub/x"):
    for door, value in ((nb.artifact, b"x"), (nb.output, numpy.ones(2)), (nb.figure, PNG)):
        try:
            door(name, value)
        except (ValueError, OSError) as error:
            said[ascii((door.__name__, name))] = ascii(str(error))[:300]
nb.output("said", said)
"""


def test_no_notebooks_name_leads_out_of_its_runs_folder(tmp_path: Path, root: Path) -> None:
    notebook = write_notebook(root / "a.ipynb", HAND_OUT)
    (root / "link").unlink()
    (root / "link.txt").unlink()
    before = outside(root)
    out = root / "runs" / "out.ipynb"
    environment = {"OUT": str(out), "EVIL": str(tmp_path / "root-evil")}
    result = nbd.run_notebook(notebook, output=out, environment=environment)
    assert result.status == "succeeded", result.reason
    said = result.outputs["said"]
    assert outside(root) == before
    assert "is no name inside the run" in said[ascii(("artifact", "link/x"))]
    for name in ("../x", "/etc/x", "%2e%2e/x", "n" * 300, "x\0y", "../root-evil/x"):
        for door in ("artifact", "output"):
            assert "is no name inside the run" in said[ascii((door, name))]
    assert "is for the values of nb.output" in said[ascii(("artifact", ".values/x"))]
    files = result.artifacts | {name: value.path for name, value in result.records.outputs.items() if name != "said"}
    assert "sub/x" in files
    assert all(Path(path).resolve().is_relative_to(out.with_suffix(".files")) for path in files.values())


def by_hand(**record: Any) -> dict[str, Any]:
    return {MIME_TYPE: record}


class TestRecordsByHand:
    """Records that a notebook prints itself are read only from its own folder, and written only into it."""

    @given(name=ANY_NAME)
    def test_no_file_of_elsewhere_is_read(self, name: str) -> None:
        for kind in ("artifact", "output"):
            with pytest.raises(ValueError, match=r"inside the run's folder|is not in the run's folder"):
                read_records(by_hand(kind=kind, name="x", file=name, format="npy", shape=[1]), Path("/no/such.files"))

    @pytest.mark.parametrize("file", ["link.txt", "link/theirs.txt", "../root-evil/theirs.txt"])
    def test_nor_one_through_a_link(self, root: Path, file: str) -> None:
        with pytest.raises(ValueError, match="is no name inside the run's folder"):
            read_records(by_hand(kind="artifact", name="x", file=file), root)

    @pytest.mark.parametrize("name", [*NAMES, "link/x", "link.txt"])
    def test_content_is_written_under_the_folder_or_refused(self, root: Path, name: str) -> None:
        before = outside(root)
        try:
            (record,) = read_records(by_hand(kind="artifact", name=name, text="mine"), root)
        except (ValueError, OSError):
            pass
        else:
            assert Path(record.value).resolve().is_relative_to(root)
            assert Path(record.value).read_text() == "mine"
        assert outside(root) == before

    def test_a_link_that_is_put_there_meanwhile_is_replaced_not_followed(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def inside_then_swap(folder: Path, name: str) -> Path:
            path = inside(folder, name)
            path.symlink_to(root.parent / "root-evil" / "theirs.txt")
            return path

        monkeypatch.setattr(records, "inside", inside_then_swap)
        before = outside(root)
        read_records(by_hand(kind="artifact", name="note.txt", text="mine"), root)
        assert (root / "note.txt").read_text() == "mine"
        assert outside(root) == before

    @pytest.mark.parametrize("file_format", ["pickle", "json", "", None, 3])
    def test_a_format_that_could_be_code_is_refused(self, root: Path, file_format: object) -> None:
        (root / "x.pickle").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
        record = by_hand(kind="output", name="x", file="x.pickle", format=file_format, shape=[1])
        with pytest.raises(ValueError, match="is a file of parquet or npy"):
            read_records(record, root)

    def test_in_a_run_they_are_left_out_with_a_warning(self, tmp_path: Path) -> None:
        shown = {MIME_TYPE: {"kind": "artifact", "name": "x", "file": "../a.ipynb"}}
        path = write_notebook(tmp_path / "a.ipynb", f"display({shown!r}, raw=True)")
        run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
        said = [event.message for event in run.events() if hasattr(event, "message")]
        assert run.result().artifacts == {}
        assert any("a record was left out: '../a.ipynb' is no name inside the run's folder" in each for each in said)


class TestStore:
    """Names of workflows, runs and notebooks become parts of paths."""

    @given(ANY_NAME)
    def test_any_text_is_a_part_of_a_path(self, name: str) -> None:
        part = slug(name)
        assert part not in ("", ".", "..")
        assert not set(part) & set('/\\\0\n:*?"<>|$`%')
        assert len(part.encode()) <= 100
        assert not part.startswith(".")

    def test_long_names_that_begin_alike_are_told_apart(self) -> None:
        assert slug("n" * 300 + "a") != slug("n" * 300 + "b")

    @pytest.mark.parametrize("name", NAMES)
    def test_an_attempt_of_any_name_is_under_the_root(self, root: Path, name: str) -> None:
        before = outside(root)
        attempt: Any = name or 1  # by its type a number
        place = NotebookStore(root).place(f"{name}", run_id=name, attempt=attempt, notebook=name)
        executed, journal = place.reserve()
        executed.write_text("{}")
        journal.parent.mkdir(exist_ok=True)
        journal.write_text("")
        for path in (executed, journal, Path(view_of(str(executed)))):
            assert path.parent.resolve().is_relative_to(root)
            assert max(len(part.encode()) for part in path.parts) <= 220
        assert outside(root) == before

    @pytest.mark.parametrize("name", ["train", ".running"])
    def test_a_link_in_the_store_is_refused(self, root: Path, name: str) -> None:
        (root / name).symlink_to(root.parent / "root-evil")
        before = outside(root)
        with pytest.raises(RunRefused, match="is a link; what a store keeps stays under its own folder"):
            NotebookStore(root).place("train", run_id="1", attempt=1, notebook="a").reserve()
        assert outside(root) == before

    def test_a_root_that_is_reached_by_a_link_is_fine(self, root: Path) -> None:
        executed, _ = NotebookStore(root / "link").place("train", run_id="1", attempt=1, notebook="a").reserve()
        assert executed.resolve().is_relative_to(root.parent / "root-evil")

    def test_a_journal_that_names_a_place_elsewhere_is_left_alone(self, root: Path) -> None:
        (root / ".running").mkdir()
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"nb_dagster": {}}, "cells": []}
        for number, place in enumerate(
            ("../root-evil/x.ipynb", str(root.parent / "root-evil" / "x.ipynb"), "link/x.ipynb")
        ):
            entry = {"output": str(root / place), "notebook": notebook}
            (root / ".running" / f"{number}.jsonl").write_text(json.dumps(entry) + "\n")
        before = outside(root)
        assert NotebookStore(root).recover() == []
        assert outside(root) == before

    def test_a_view_takes_the_place_of_a_link(self, root: Path) -> None:
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
        (root / "a.ipynb").write_text(json.dumps(notebook))
        (root / "a.view.ipynb").symlink_to(root.parent / "root-evil" / "theirs.txt")
        before = outside(root)
        write_view(str(root / "a.ipynb"))
        assert not (root / "a.view.ipynb").is_symlink()
        assert outside(root) == before

    def test_a_staging_folder_of_somebody_else_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import os
        import tempfile

        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        (tmp_path / f"nb_dagster-staging-{os.getuid()}").symlink_to(tmp_path)
        with pytest.raises(RunRefused, match="belongs to somebody else"):
            NotebookStore("memory://notebooks")

    def test_two_remote_stores_have_each_its_own_staging_folder(self) -> None:
        first, second = (NotebookStore(f"memory://a{sign}b").folder for sign in "/_")
        assert first != second


class TestOutput:
    """The path that a caller names for an executed notebook."""

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("x\0.ipynb", "is no path of a file"),
            ("n" * 300 + ".ipynb", "is no path of a file"),
            ("n" * 210 + ".ipynb", "is no path of a file"),
            ("n/" * 3000 + "x.ipynb", "is no path of a file"),
            ("\ud800.ipynb", "is no path of a file"),
            ("a.ipynb/x.ipynb", "is no folder that can be written to"),
            ("a.ipynb", "exists already"),
            ("gone.ipynb", "exists already"),
            ("..", "is an .ipynb file"),
            (".ipynb", "is an .ipynb file"),
            ("x.ipynb ", "is an .ipynb file"),
        ],
    )
    def test_one_that_cannot_be_is_refused_before_anything_starts(self, tmp_path: Path, name: str, why: str) -> None:
        notebook = write_notebook(tmp_path / "a.ipynb", "1")
        (tmp_path / "gone.ipynb").symlink_to(tmp_path / "nowhere.ipynb")
        before = outside(tmp_path / "none")
        with pytest.raises(RunRefused, match=why) as refused:
            nbd.run_notebook(notebook, output=tmp_path / name)
        assert len(str(refused.value)) < 1000
        assert outside(tmp_path / "none") == before

    @pytest.mark.parametrize("cwd", ["x\0y", "n" * 300, "n/" * 3000, "a.ipynb"])
    def test_so_is_a_working_directory(self, tmp_path: Path, cwd: str) -> None:
        notebook = write_notebook(tmp_path / "a.ipynb", "1")
        with pytest.raises(RunRefused, match=r"the working directory .* (does not exist|is no folder)"):
            nbd.run_notebook(notebook, output=tmp_path / "out.ipynb", cwd=tmp_path / cwd)
