"""What a run leaves in Dagster's log: its cells, within bounds, and its kernel's output in the compute log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import write_notebook


class TestManyCells:
    """120 cells, the 80th of them slow."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("many")
        cells = [f"n = {number}" if number != 80 else "import time; time.sleep(1.1)" for number in range(1, 121)]
        return materialize(folder / "store", nbd.notebook_asset(write_notebook(folder / "many.ipynb", *cells)))

    def test_the_slow_one_has_an_entry_of_its_own(self, run: DagsterRun) -> None:
        own = [line for line in run.log("many__notebook") if line.startswith("cell 80/120 ")]
        assert own[0] == "cell 80/120 started: import time; time.sleep(1.1)"
        assert own[1].startswith("cell 80/120 succeeded in 1.")

    def test_quick_ones_share_entries_that_leave_out_none(self, run: DagsterRun) -> None:
        told = [re.match(r"cells? (\d+)(?: to |/)(\d+)", line) for line in run.log("many__notebook")]
        counted: list[int] = []
        for match in filter(None, told):
            first, last = int(match[1]), int(match[2])
            counted += [first] if last == 120 and "cells" not in match[0] else range(first, last + 1)
        assert sorted(set(counted)) == list(range(1, 121))
        assert len([match for match in told if match]) < 40

    def test_the_whole_run_has_a_bounded_number_of_entries(self, run: DagsterRun) -> None:
        assert len(run.instance.all_logs(run.result.run_id)) < 100


def test_a_run_that_is_quick_has_one_entry_with_its_cells_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nb_dagster.definitions.progress.PATIENCE", 30)  # on any machine
    run = materialize(tmp_path / "store", nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", "1", "2")))
    (entry,) = [line for line in run.log("a__notebook") if "cell" in line]
    assert re.fullmatch(r"notebook a, attempt 1: succeeded \(2 of 2 cells in \d+\.\d\d s\)", entry)


def test_the_gantt_chart_has_a_span_for_each_slow_cell(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import time; time.sleep(1)", "2", "time.sleep(1)")
    run = materialize(tmp_path / "store", nbd.notebook_asset(path))
    entries = run.instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    data = [entry.dagster_event.engine_event_data for entry in entries if entry.dagster_event]
    assert [each.marker_start for each in data if each.marker_start] == ["cell 1", "cell 3"]
    assert [each.marker_end for each in data if each.marker_end] == ["cell 1", "cell 3"]


def test_a_flood_of_slow_cells_ends_with_a_word_that_there_are_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nb_dagster.definitions.progress.PATIENCE", 0.001)
    cells = ["import time; time.sleep(0.02)"] * 20
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, output_limits=nbd.OutputLimits(events=10)))
    log = [line for line in run.log("a__notebook") if "cell" in line or "OutputLimits" in line]
    assert len(log) < 14
    assert "more follows; OutputLimits.events says that 10 entries are logged" in log


def test_a_flood_of_warnings_ends_so_too(tmp_path: Path) -> None:
    by_hand = "display({'application/vnd.nb-dagster.record+json': {'kind': f'odd {n}', 'name': 'a'}}, raw=True)"
    path = write_notebook(tmp_path / "a.ipynb", f"for n in range(30): {by_hand}")
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, output_limits=nbd.OutputLimits(events=5)))
    assert run.result.success
    entries = [entry.user_message for entry in run.instance.all_logs(run.result.run_id) if entry.level == 30]
    assert len(entries) == 4
    assert "more follows; OutputLimits.events says that 5 entries are logged" in run.log("a__notebook")


def test_a_record_that_is_left_out_is_a_warning(tmp_path: Path) -> None:
    by_hand = "display({'application/vnd.nb-dagster.record+json': {'kind': 'nonsense', 'name': 'a'}}, raw=True)"
    run = materialize(tmp_path / "store", nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", by_hand)))
    assert run.result.success
    warned = [entry.user_message for entry in run.instance.all_logs(run.result.run_id) if entry.level == 30]
    assert warned == ["a record was left out: there is no kind of record 'nonsense'"]


def test_output_that_is_cut_is_a_warning(tmp_path: Path) -> None:
    limits = nbd.OutputLimits(cell=1000)
    asset = nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", "print('x' * 5000)"), output_limits=limits)
    run = materialize(tmp_path / "store", asset)
    assert run.result.success
    warned = [entry.user_message for entry in run.instance.all_logs(run.result.run_id) if entry.level == 30]
    assert warned == ["cell 1: the cell's output was cut here, after 1 kB; OutputLimits.cell says how much is kept"]


class TestComputeLog:
    @pytest.fixture
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.instance_for_test() as instance:
            yield instance

    def test_the_kernels_output_is_in_it(self, tmp_path: Path, instance: dg.DagsterInstance) -> None:
        cell = "import sys\nprint('to stdout ✓')\nprint('to stderr', file=sys.stderr)"
        asset = nbd.notebook_asset(write_notebook(tmp_path / "talk.ipynb", cell))
        run = materialize(tmp_path / "store", asset, instance=instance)
        assert run.result.success
        entries = instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
        assert entries[0].dagster_event
        key = entries[0].dagster_event.logs_captured_data.file_key
        data = instance.compute_log_manager.get_log_data([run.result.run_id, "compute_logs", key])
        assert "to stdout ✓" in (data.stdout or b"").decode()
        assert "to stderr" in (data.stderr or b"").decode()
        assert "to stderr" not in (data.stdout or b"").decode()

    def test_it_takes_no_more_than_a_notebook_may_show(self, tmp_path: Path, instance: dg.DagsterInstance) -> None:
        path = write_notebook(tmp_path / "talk.ipynb", "for n in range(2_000): print(f'\\r{n:05}', end='', flush=True)")
        asset = nbd.notebook_asset(path, output_limits=nbd.OutputLimits(notebook=1000))
        run = materialize(tmp_path / "store", asset, instance=instance)
        entries = instance.all_logs(run.result.run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
        assert entries[0].dagster_event
        key = entries[0].dagster_event.logs_captured_data.file_key
        data = instance.compute_log_manager.get_log_data([run.result.run_id, "compute_logs", key])
        logged = (data.stdout or b"").decode()
        assert logged.endswith("\n[nb_dagster: more follows; OutputLimits.notebook says that 1 kB are logged]\n")
        assert len(logged) < 1100
