"""Definitions load from what was read before, and are the same; nothing is made that nobody asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

import nb_dagster as nbd
from nb_dagster.definitions import config, workflow
from nb_dagster.notebook import cache
from nb_dagster.notebook.parameters import Parameter
from tests.definitions.dagster_runs import materialize
from tests.notebooks import printed, write_notebook

PARAMETERS = """\
from datetime import date, datetime
from typing import Literal

n: int = 3  # how many
mode: Literal["fast", "exact"] = "fast"
sizes: list[int] | None = None
day: date  # the day to report
started = datetime.now()
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two notebooks."""
    write_notebook(tmp_path / "typed.ipynb", "print(n, mode)", parameters=PARAMETERS, text="# A report")
    write_notebook(tmp_path / "take.ipynb", "import pandas", "print(rows)", parameters="rows = None")
    monkeypatch.chdir(tmp_path)
    workflow._cache.cache_clear()
    return tmp_path


@pytest.fixture
def no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a notebook is known, or the test fails."""
    load()
    monkeypatch.setattr(cache, "parse_notebook", lambda *_: pytest.fail("a notebook was parsed"))
    workflow._cache.cache_clear()  # as in another process


def load() -> dg.Definitions:
    typed = nbd.notebook_asset("typed.ipynb", params={"n": 4}, group_name="reports", checks=["good"])
    take = nbd.notebook_asset("take.ipynb", ins={"rows": typed}, deps=["other"])
    job = nbd.notebook_job("nightly", ["typed.ipynb", "take.ipynb"])
    return dg.Definitions(assets=[typed, take], jobs=[job])


def snapshot(defs: dg.Definitions) -> Any:
    """All that Dagster's web server is told."""
    told = json.loads(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))
    return json.dumps(told, sort_keys=True)


def test_definitions_are_told_the_same_with_and_without_what_is_known(project: Path) -> None:
    first = snapshot(load())
    workflow._cache.cache_clear()
    second = snapshot(load())
    (project / ".nb_dagster" / "notebooks.cache").write_bytes(b"\0 broken")
    workflow._cache.cache_clear()
    third = snapshot(load())
    assert first == second == third


def test_an_edited_notebook_is_another_definition(project: Path) -> None:
    before = nbd.notebook_asset("typed.ipynb")
    write_notebook(project / "typed.ipynb", "print(n)", parameters="n: int = 5\nnew = 1", text="# Another")
    workflow._cache.cache_clear()
    after = nbd.notebook_asset("typed.ipynb")
    (old,), (new,) = before.specs, after.specs
    assert (old.description, new.description) == ("A report", "Another")
    assert old.code_version != new.code_version
    assert list(after.op.config_field.config_type.fields) == ["n", "new"]  # type: ignore[union-attr]


def test_a_known_notebook_runs(project: Path, no_parsing: None) -> None:
    run = materialize(project / "store", nbd.notebook_asset("typed.ipynb"), config={"typed": {"day": "2026-01-31"}})
    (executed,) = run.executed("typed")
    assert printed(executed) == "3 fast\n"


def test_a_run_is_of_the_notebook_that_was_loaded(project: Path, no_parsing: None) -> None:
    asset = nbd.notebook_asset("typed.ipynb")
    write_notebook(project / "typed.ipynb", "print('edited since')", parameters=PARAMETERS)
    run = materialize(project / "store", asset, config={"typed": {"day": "2026-01-31"}})
    assert printed(run.executed("typed")[0]) == "3 fast\n"


def test_where_nothing_can_be_kept_definitions_load(project: Path) -> None:
    (project / ".nb_dagster").write_text("a file, and no folder")
    assert snapshot(load())


def test_loading_makes_no_launchpad_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def field(parameter: Parameter, *others: Any) -> dg.Field:
        made.append(parameter.name)
        return original(parameter, *others)

    original = config._field
    monkeypatch.setattr(config, "_field", field)
    repository = load().get_repository_def()
    repository.load_all_definitions()
    job = repository.get_implicit_global_asset_job_def().get_subset(asset_selection={dg.AssetKey("take")})
    assert made == []
    dg.validate_run_config(job)
    assert made == []
    dg.validate_run_config(repository.get_job("nightly"), {"ops": {"typed": {"config": {"day": "2026-01-31"}}}})
    assert sorted(made) == ["day", "mode", "n", "rows", "sizes", "started"]
