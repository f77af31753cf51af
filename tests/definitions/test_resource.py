"""Where executed notebooks are kept: a folder or a URL, said once for all notebooks of a deployment."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from upath import UPath

import nb_dagster as nbd
from nb_dagster.runner.journal import Journal
from nb_dagster.store.notebooks import NotebookStore
from tests.definitions.dagster_runs import DagsterRun, execute, materialize, new_instance
from tests.notebooks import executed_notebooks, printed, write_notebook

RECORD = """\
import pandas as pd
nb.output("rows", pd.DataFrame({"a": [1, 2]}))
nb.artifact("models/model.txt", b"a model")
nb.metric("auc", 0.9)
"""


@pytest.fixture
def asset(tmp_path: Path) -> dg.AssetsDefinition:
    return nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", "nb.artifact('note.txt', b'hello')"))


def test_it_is_optional(asset: dg.AssetsDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dg.materialize([asset], instance=new_instance(tmp_path / "store")).success
    assert len(executed_notebooks(tmp_path / ".nb_dagster" / "notebooks", "a")) == 1


def test_a_folder_is_made_where_there_is_none(asset: dg.AssetsDefinition, tmp_path: Path) -> None:
    run = materialize(tmp_path / "deep" / "er", asset)
    (executed,) = run.executed("a")
    assert [path.read_text() for path in executed.parent.rglob("note.txt")] == ["hello"]


def test_a_relative_folder_is_under_the_current_one(
    asset: dg.AssetsDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = materialize(Path("kept"), asset, instance=new_instance(tmp_path / "store"))
    assert run.result.success
    assert len(executed_notebooks(tmp_path / "kept", "a")) == 1


def test_two_runs_never_share_a_folder(asset: dg.AssetsDefinition, tmp_path: Path) -> None:
    for _ in range(2):
        materialize(tmp_path / "store", asset)
    first, second = executed_notebooks(tmp_path / "store", "a")
    assert first.parent != second.parent


def test_it_is_one_setting_of_the_definitions(asset: dg.AssetsDefinition, tmp_path: Path) -> None:
    defs = dg.Definitions(assets=[asset], resources={"notebooks": nbd.NotebookResource(store=str(tmp_path / "mine"))})
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=new_instance(tmp_path / "store"))
    assert result.success
    assert len(executed_notebooks(tmp_path / "mine", "a")) == 1


def test_it_may_come_from_the_environment(
    asset: dg.AssetsDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_STORE", str(tmp_path / "from_env"))
    resource = nbd.NotebookResource(store=dg.EnvVar("NOTEBOOK_STORE"))
    result = dg.materialize([asset], resources={"notebooks": resource}, instance=new_instance(tmp_path / "store"))
    assert result.success
    assert len(executed_notebooks(tmp_path / "from_env", "a")) == 1


def test_it_may_be_set_at_launch(asset: dg.AssetsDefinition, tmp_path: Path) -> None:
    result = dg.materialize(
        [asset],
        resources=nbd.resources(str(tmp_path / "store")),
        run_config={"resources": {"notebooks": {"config": {"store": str(tmp_path / "launched")}}}},
        instance=new_instance(tmp_path / "store"),
    )
    assert result.success
    assert len(executed_notebooks(tmp_path / "launched", "a")) == 1


def test_a_job_of_ops_keeps_its_notebooks_there_too(tmp_path: Path) -> None:
    job = nbd.notebook_job("nightly", [write_notebook(tmp_path / "a.ipynb", "1")])
    assert len(execute(tmp_path / "store", job).executed("a")) == 1


class TestRemoteStore:
    """A URL that universal-pathlib knows: written when the attempt has ended, whatever ended it."""

    STORE = "memory://bucket/notebooks"

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("remote")
        record = nbd.notebook_asset(write_notebook(folder / "record.ipynb", RECORD), outs=["rows"])
        broken = nbd.notebook_asset(write_notebook(folder / "broken.ipynb", "print('before')", "1 / 0"))

        @dg.asset
        def total(record: Any) -> int:
            return int(record.a.sum())

        instance = new_instance(folder / "store")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(folder))  # where the staging folder is
            result = dg.materialize(
                [record, total, broken],
                resources=nbd.resources(store=cls.STORE),
                instance=instance,
                raise_on_error=False,
            )
        return DagsterRun(result, instance, folder)

    def _kept(self, workflow: str) -> dict[str, UPath]:
        found = (UPath(self.STORE) / workflow).glob("*/**/*")
        return {path.name: path for path in found if path.is_file()}

    def test_the_executed_notebook_and_its_files_are_there(self, run: DagsterRun) -> None:
        assert run.result.is_node_success("record__notebook")
        kept = self._kept("record")
        assert json.loads(kept["record.ipynb"].read_text())["metadata"]["nb_dagster"]["status"] == "succeeded"
        assert kept["model.txt"].read_text() == "a model"

    def test_a_frame_is_handed_downstream(self, run: DagsterRun) -> None:
        assert run.result.asset_value("total") == 3

    def test_metadata_links_it(self, run: DagsterRun) -> None:
        shown = run.metadata("record")
        assert str(shown["executed_notebook"].value) == str(self._kept("record")["record.ipynb"])
        assert str(shown["models/model.txt"].value) == str(self._kept("record")["model.txt"])

    def test_a_failed_attempt_is_there_too(self, run: DagsterRun) -> None:
        kept = self._kept("broken")["broken.ipynb"]
        assert json.loads(kept.read_text())["metadata"]["nb_dagster"]["status"] == "failed"
        assert run.failure("broken__notebook").metadata["executed_notebook"] == dg.MetadataValue.url(str(kept))

    def test_nothing_is_left_in_the_staging_folder(self, run: DagsterRun) -> None:
        (staging,) = run.store.glob("nb_dagster-staging-*")
        assert not [path for path in staging.rglob("*") if path.is_file()]


def test_the_notebook_of_a_killed_process_is_recovered_to_a_remote_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the staging folder is
    store = NotebookStore("memory://bucket/recovered")
    output, path = store.place("train", run_id="0123456789", attempt=1, notebook="train").reserve()
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"nb_dagster": {"status": "running"}}, "cells": []}
    journal = Journal(path, content, output)
    assert store.recover() == []  # it is still locked
    journal._file.close()  # as the system does it when a process is killed
    (recovered,) = store.recover()
    assert str(recovered).startswith("memory://bucket/recovered/train/")
    assert json.loads(recovered.read_text())["metadata"]["nb_dagster"]["status"] == "killed"
    assert not output.exists()
    assert store.recover() == []


def test_a_later_notebook_takes_frames_and_the_urls_of_artifacts_from_a_remote_store(tmp_path: Path) -> None:
    record = nbd.notebook_asset(write_notebook(tmp_path / "record.ipynb", RECORD))
    look = nbd.notebook_asset(
        write_notebook(
            tmp_path / "look.ipynb",
            "from upath import UPath\nup = nb.upstream['record']",
            "print(up.outputs['rows'].a.sum(), UPath(up.artifacts['models/model.txt']).read_text())",
        ),
        deps=[record],
    )
    result = dg.materialize(
        [record, look],
        resources=nbd.resources(store=f"file://{tmp_path}/bucket"),
        instance=new_instance(tmp_path / "store"),
        raise_on_error=False,
    )
    assert result.success
    assert printed(executed_notebooks(tmp_path / "bucket", "look")[0]) == "3 a model\n"
