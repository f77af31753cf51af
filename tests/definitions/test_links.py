"""Where a page server shows the store, links in Dagster lead to the page of each attempt."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, new_instance
from tests.notebooks import write_notebook
from tests.pages.served import served

PAGES = "http://pages.example:3030"


def run(folder: Path, *cells: str, resources: dict[str, object]) -> DagsterRun:
    asset = nbd.notebook_asset(write_notebook(folder / "my notebook.ipynb", *cells))
    instance = new_instance(folder / "store")
    result = dg.materialize([asset], instance=instance, resources=resources, raise_on_error=False)
    return DagsterRun(result, instance, folder / "store")


def test_an_assets_notebook_is_its_page(tmp_path: Path) -> None:
    done = run(tmp_path, "1", resources=nbd.resources(str(tmp_path / "store"), pages=f"{PAGES}/"))
    (executed,) = done.executed("my_notebook")
    link = dg.MetadataValue.url(f"{PAGES}/my_notebook/{executed.parent.name}/")
    assert done.metadata("my_notebook")["executed_notebook"] == link
    assert [each["executed_notebook"] for each in done.attempt_metadata("my_notebook__notebook")] == [link]


def test_a_failed_attempt_is_linked_too(tmp_path: Path) -> None:
    done = run(tmp_path, "1 / 0", resources=nbd.resources(str(tmp_path / "store"), pages=PAGES))
    (executed,) = done.executed("my_notebook")
    link = done.failure("my_notebook__notebook").metadata["executed_notebook"]
    assert link == dg.MetadataValue.url(f"{PAGES}/my_notebook/{executed.parent.name}/")


def test_the_environment_says_it_where_the_resource_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NB_DAGSTER_PAGES", PAGES)
    done = run(tmp_path, "1", resources=nbd.resources(str(tmp_path / "store")))
    assert str(done.values("my_notebook")["executed_notebook"]).startswith(f"{PAGES}/my_notebook/")


def test_a_remote_notebook_is_linked_by_its_page(tmp_path: Path) -> None:
    done = run(tmp_path, "1", resources=nbd.resources("memory://links/store", pages=PAGES))
    assert str(done.values("my_notebook")["executed_notebook"]).startswith(f"{PAGES}/my_notebook/")


def test_the_link_leads_to_the_page(tmp_path: Path) -> None:
    with served(tmp_path / "store") as pages:
        done = run(tmp_path, "print('hello')", resources=nbd.resources(str(tmp_path / "store"), pages=pages.url))
        link = str(done.values("my_notebook")["executed_notebook"])
        assert "hello" in pages.get(urlsplit(link).path).text
