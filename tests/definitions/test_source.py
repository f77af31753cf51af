"""A definition says what the notebook is: its text, its source, its version."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.notebooks import write_notebook


def _spec(asset: dg.AssetsDefinition) -> dg.AssetSpec:
    (spec,) = asset.specs
    return spec


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(
        tmp_path / "my-report.ipynb",
        "print(n)",
        parameters="n = 1",
        text="# The report\n\nCounts *all* rows.",
    )


def _version(tmp_path: Path, *cells: str, **options: str) -> str:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    version = _spec(nbd.notebook_asset(write_notebook(folder / "a.ipynb", *cells, **options))).code_version
    assert version
    return version


def test_its_name_is_the_files_as_dagster_takes_it(notebook: Path) -> None:
    assert nbd.notebook_asset(notebook).key == dg.AssetKey("my_report")
    assert nbd.notebook_op(notebook).name == "my_report"


def test_its_description_is_the_first_markdown_cell(notebook: Path) -> None:
    assert _spec(nbd.notebook_asset(notebook)).description == "The report\n\nCounts *all* rows."
    assert nbd.notebook_op(notebook).description == "The report\n\nCounts *all* rows."


def test_a_description_that_is_given_goes_before_it(notebook: Path) -> None:
    assert _spec(nbd.notebook_asset(notebook, description="Mine")).description == "Mine"


def test_its_version_changes_with_the_code(tmp_path: Path) -> None:
    assert _version(tmp_path, "print(1)") != _version(tmp_path, "print(2)")


def test_its_version_changes_with_the_parameters_cell(tmp_path: Path) -> None:
    assert _version(tmp_path, "print(1)", parameters="n = 1") != _version(tmp_path, "print(1)", parameters="n = 2")


def test_its_version_does_not_change_with_the_text(tmp_path: Path) -> None:
    assert _version(tmp_path, "print(1)", text="One") == _version(tmp_path, "print(1)", text="Two")


def test_its_version_does_not_change_when_it_is_opened_and_run_by_hand(notebook: Path) -> None:
    before = _spec(nbd.notebook_asset(notebook)).code_version
    text = notebook.read_text(encoding="utf-8")
    output = '{"output_type": "stream", "name": "stdout", "text": "1\\n"}'
    saved = text.replace('"outputs": []', f'"outputs": [{output}]').replace(
        '"execution_count": null', '"execution_count": 7'
    )
    assert saved != text
    notebook.write_text(saved, encoding="utf-8")
    assert _spec(nbd.notebook_asset(notebook)).code_version == before


def test_an_edited_notebook_shows_as_changed_on_its_last_materialization(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "print(1)")
    asset = nbd.notebook_asset(tmp_path / "a.ipynb")
    instance = dg.DagsterInstance.ephemeral(str(tmp_path / "dagster"))
    dg.materialize([asset], instance=instance, resources=nbd.resources(str(tmp_path / "store")))
    event = instance.get_latest_materialization_event(dg.AssetKey("a"))
    assert event is not None
    assert event.asset_materialization is not None
    recorded = (event.asset_materialization.tags or {})["dagster/code_version"]
    assert recorded == _spec(asset).code_version
    write_notebook(tmp_path / "a.ipynb", "print(2)")
    assert recorded != _spec(nbd.notebook_asset(tmp_path / "a.ipynb")).code_version


def test_the_op_has_the_tags_by_which_dagster_shows_the_source(notebook: Path) -> None:
    asset, op = nbd.notebook_asset(notebook), nbd.notebook_op(notebook)
    for tags in (asset.op.tags, op.tags):
        assert tags["kind"] == "ipynb"
        assert tags["notebook_path"] == str(notebook)


def test_the_asset_links_its_source(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(notebook.parent)
    metadata = _spec(nbd.notebook_asset(notebook.name)).metadata
    references = metadata["dagster/code_references"]
    assert references.code_references[0].file_path == str(notebook)
    assert str(notebook) in str(metadata["notebook"].value)


def test_its_kinds_are_jupyter_and_its_language(notebook: Path) -> None:
    assert _spec(nbd.notebook_asset(notebook)).kinds == {"jupyter", "python"}


def test_what_is_given_of_it_is_on_the_asset(notebook: Path) -> None:
    asset = nbd.notebook_asset(
        notebook,
        name="named",
        key_prefix=["a", "b"],
        group_name="reports",
        metadata={"own": 1},
        tags={"team": "x"},
        owners=["team:x"],
        pool="gpu",
        automation_condition=dg.AutomationCondition.eager(),
    )
    spec = _spec(asset)
    assert spec.key == dg.AssetKey(["a", "b", "named"])
    assert (spec.group_name, spec.owners, spec.tags["team"]) == ("reports", ["team:x"], "x")
    assert spec.metadata["own"] == 1
    assert "notebook" in spec.metadata
    assert spec.automation_condition is not None
    assert asset.op.pool == "gpu"


def test_tags_of_an_op_are_beside_ours(notebook: Path) -> None:
    tags = nbd.notebook_op(notebook, tags={"dagster/priority": "3"}).tags
    assert tags["dagster/priority"] == "3"
    assert tags["kind"] == "ipynb"


def test_a_percent_script_is_a_notebook_too(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        '# %% [markdown]\n# # A script\n\n# %% tags=["parameters"]\nn = 1\n\n# %%\nprint(n)\n', encoding="utf-8"
    )
    asset = nbd.notebook_asset(path)
    assert _spec(asset).description == "A script"
    assert list(asset.op.config_field.config_type.fields) == ["n"]  # type: ignore[union-attr]
    assert "kind" not in asset.op.tags
