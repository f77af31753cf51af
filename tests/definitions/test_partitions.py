"""A partitioned notebook knows its partition, in parameters that it declares and in ``nb.context``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, execute, materialize
from tests.notebooks import printed, run_metadata, write_notebook

WINDOW = """\
from datetime import date, datetime
partition_key: str | None = None
partition_start: datetime | None = None
partition_end: datetime | None = None
"""
SHOW_WINDOW = """\
print(partition_key, partition_start, partition_end)
print(nb.context.partition_key, nb.context.partition_start, nb.context.partition_end)
"""


@pytest.fixture
def windowed(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "windowed.ipynb", SHOW_WINDOW, parameters=WINDOW)


def _shown(run: DagsterRun, workflow: str = "windowed") -> list[str]:
    assert run.result.success
    return printed(run.executed(workflow)[-1]).splitlines()


def test_a_day_fills_its_key_and_its_window(windowed: Path, tmp_path: Path) -> None:
    asset = nbd.notebook_asset(windowed, partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
    run = materialize(tmp_path / "store", asset, partition_key="2026-01-31")
    assert _shown(run) == ["2026-01-31 2026-01-31 00:00:00+00:00 2026-02-01 00:00:00+00:00"] * 2


def test_a_window_has_the_time_zone_of_its_partitions(windowed: Path, tmp_path: Path) -> None:
    days = dg.DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin")
    run = materialize(tmp_path / "store", nbd.notebook_asset(windowed, partitions_def=days), partition_key="2026-03-29")
    assert _shown(run) == ["2026-03-29 2026-03-29 00:00:00+01:00 2026-03-30 00:00:00+02:00"] * 2


def test_a_static_partition_fills_its_key_only(windowed: Path, tmp_path: Path) -> None:
    asset = nbd.notebook_asset(windowed, partitions_def=dg.StaticPartitionsDefinition(["north", "south"]))
    run = materialize(tmp_path / "store", asset, partition_key="south")
    assert _shown(run) == ["south None None"] * 2


def test_a_partition_of_two_dimensions_fills_its_key_and_the_window_of_its_day(windowed: Path, tmp_path: Path) -> None:
    both = dg.MultiPartitionsDefinition(
        {"day": dg.DailyPartitionsDefinition("2026-01-01"), "region": dg.StaticPartitionsDefinition(["north"])}
    )
    run = materialize(
        tmp_path / "store", nbd.notebook_asset(windowed, partitions_def=both), partition_key="2026-01-02|north"
    )
    assert _shown(run) == ["2026-01-02|north 2026-01-02 00:00:00+00:00 2026-01-03 00:00:00+00:00"] * 2


def test_without_partitions_the_notebooks_own_defaults_stay(windowed: Path, tmp_path: Path) -> None:
    run = materialize(tmp_path / "store", nbd.notebook_asset(windowed))
    assert _shown(run) == ["None None None"] * 2


def test_an_asset_without_partitions_in_a_partitioned_run_knows_none(windowed: Path, tmp_path: Path) -> None:
    daily = nbd.notebook_asset(
        write_notebook(tmp_path / "daily.ipynb", "1"), partitions_def=dg.DailyPartitionsDefinition("2026-01-01")
    )
    run = materialize(tmp_path / "store", daily, nbd.notebook_asset(windowed), partition_key="2026-01-02")
    assert _shown(run) == ["None None None"] * 2


def test_a_required_key_is_filled_as_the_date_it_is_declared_as(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(
        write_notebook(
            tmp_path / "a.ipynb",
            "print(repr(partition_key))",
            parameters="from datetime import date\npartition_key: date",
        ),
        partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
    )
    run = materialize(tmp_path / "store", asset, partition_key="2026-01-31")
    assert _shown(run, "a") == ["datetime.date(2026, 1, 31)"]


def test_a_value_from_the_launchpad_goes_before_the_partition(windowed: Path, tmp_path: Path) -> None:
    asset = nbd.notebook_asset(windowed, partitions_def=dg.StaticPartitionsDefinition(["north"]))
    run = materialize(
        tmp_path / "store", asset, partition_key="north", config={"windowed": {"partition_key": "elsewhere"}}
    )
    assert _shown(run) == ["elsewhere None None", "north None None"]


def test_a_declared_name_of_another_type_stays_the_authors(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(
        write_notebook(
            tmp_path / "a.ipynb",
            "print(partition_key, attempt, now, workflow)",
            parameters="partition_key = 5\nattempt = 'no number'\nnow = 3\nworkflow: list[str] = []",
        ),
        partitions_def=dg.StaticPartitionsDefinition(["north"]),
    )
    run = materialize(tmp_path / "store", asset, partition_key="north")
    assert _shown(run, "a") == ["5 no number 3 []"]


def test_a_backfill_in_one_run_fills_the_window_of_all_its_days(windowed: Path, tmp_path: Path) -> None:
    asset = nbd.notebook_asset(
        windowed,
        partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    keep = dg.mem_io_manager  # Dagster's default one stores no value for several partitions at once
    job = dg.Definitions(assets=[asset], resources={"io_manager": keep}).resolve_implicit_global_asset_job_def()
    span = {"dagster/asset_partition_range_start": "2026-01-02", "dagster/asset_partition_range_end": "2026-01-04"}
    run = execute(tmp_path / "store", job, tags=span)
    assert _shown(run) == ["None 2026-01-02 00:00:00+00:00 2026-01-05 00:00:00+00:00"] * 2


def test_an_op_of_a_partitioned_job_knows_the_partition(windowed: Path, tmp_path: Path) -> None:
    job = nbd.notebook_job(
        "nightly", [nbd.notebook_op(windowed)], partitions_def=dg.DailyPartitionsDefinition("2026-01-01")
    )
    run = execute(tmp_path / "store", job, partition_key="2026-01-31")
    assert _shown(run) == ["2026-01-31 2026-01-31 00:00:00+00:00 2026-02-01 00:00:00+00:00"] * 2


class TestContextParameters:
    """Names that a notebook declares are filled from the run."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("context")
        declared = (
            "run_id: str = ''\nworkflow: str\nattempt = 0\nnow: datetime = '2000-01-01'\ncommit: str | None = None"
        )
        names = ("run_id", "workflow", "attempt", "now", "commit")
        notebook = write_notebook(
            folder / "told.ipynb",
            f"print({', '.join(names)}, sep='\\n')",
            f"print({', '.join(f'nb.context.{name}' for name in names)}, sep='\\n')",
            parameters=f"from datetime import datetime\n{declared}",
        )
        for command in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=me", "-c", "user.email=me@here", "commit", "-qm", "one"],
        ):
            subprocess.run(["git", *command], cwd=folder, check=True)
        return materialize(folder / "store", nbd.notebook_asset(notebook, name="named"))

    def test_they_are_those_of_the_run(self, run: DagsterRun) -> None:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=run.store.parent, check=True, capture_output=True, text=True
        ).stdout.strip()
        run_id, workflow, attempt, now, commit, *_ = _shown(run, "named")
        assert (run_id, workflow, attempt, commit) == (run.result.run_id, "named", "1", head)
        assert now > "2026"

    def test_nb_context_says_the_same(self, run: DagsterRun) -> None:
        shown = _shown(run, "named")
        assert shown[:5] == shown[5:]

    def test_the_executed_notebook_says_the_same(self, run: DagsterRun) -> None:
        said, shown = run_metadata(run.executed("named")[0]), _shown(run, "named")
        assert [said["run_id"], said["workflow"], str(said["attempt"]), said["commit"]] == [*shown[:3], shown[4]]
