"""``nb.skip`` and failures: what is downstream does not run."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import cell_statuses, run_metadata, write_notebook


class TestSkip:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("skip")
        ingest = nbd.notebook_asset(
            write_notebook(
                folder / "ingest.ipynb", "print('looked')", "nb.skip('nothing new')", "nb.output('rows', 1)"
            ),
            outs=["rows"],
            checks=["good"],
            retry_policy=dg.RetryPolicy(max_retries=2),
        )
        by_value = nbd.notebook_asset(
            write_notebook(folder / "by_value.ipynb", "1", parameters="rows = 0"), ins={"rows": ingest}
        )
        by_order = nbd.notebook_asset(write_notebook(folder / "by_order.ipynb", "1"), deps=[ingest])

        @dg.asset
        def plain(ingest: int) -> int:
            return ingest

        return materialize(folder / "store", ingest, by_value, by_order, plain)

    def test_the_step_succeeds_without_a_materialization(self, run: DagsterRun) -> None:
        assert run.result.success
        assert run.result.is_node_success("ingest__notebook")
        assert not run.is_materialized("ingest")

    def test_its_checks_are_not_evaluated(self, run: DagsterRun) -> None:
        assert run.result.get_asset_check_evaluations() == []

    def test_what_is_downstream_is_skipped(self, run: DagsterRun) -> None:
        assert {event.step_key for event in run.result.get_step_skipped_events()} == {
            *("by_value__notebook", "by_order__notebook", "plain")
        }

    def test_the_reason_is_in_the_log(self, run: DagsterRun) -> None:
        (end,) = (message for message in run.log("ingest__notebook") if "attempt 1" in message)
        assert end.startswith("notebook ingest, attempt 1: skipped: nothing new (")
        assert run.attempt_metadata("ingest__notebook")[0]["reason"] == dg.MetadataValue.text("nothing new")

    def test_the_executed_notebook_says_so(self, run: DagsterRun) -> None:
        (executed,) = run.executed("ingest")
        assert run_metadata(executed)["status"] == "skipped"
        assert run_metadata(executed)["reason"] == "nothing new"
        assert cell_statuses(executed) == ["succeeded", "skipped", "not_run"]


class TestFailure:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("failure")
        ingest = nbd.notebook_asset(write_notebook(folder / "ingest.ipynb", "nb.output('rows', 1)", "1 / 0"))
        report = nbd.notebook_asset(write_notebook(folder / "report.ipynb", "1"), deps=[ingest])
        other = nbd.notebook_asset(write_notebook(folder / "other.ipynb", "1"))
        return materialize(folder / "store", ingest, report, other)

    def test_what_is_downstream_does_not_run(self, run: DagsterRun) -> None:
        assert not run.result.success
        assert run.result.is_node_untouched("report__notebook")
        assert run.executed("report") == []

    def test_what_is_beside_it_runs(self, run: DagsterRun) -> None:
        assert run.result.is_node_success("other__notebook")

    def test_nothing_is_materialized_of_what_it_had_handed_out(self, run: DagsterRun) -> None:
        assert not run.is_materialized("ingest")


def test_of_several_outputs_none_is_materialized_by_a_skip(tmp_path: Path) -> None:
    split = nbd.notebook_asset(
        write_notebook(tmp_path / "split.ipynb", "nb.output('a', 1)", "nb.skip('enough')"), outs=["a", "b"]
    )
    run = materialize(tmp_path / "store", split)
    assert run.result.success
    assert not run.is_materialized("a")
    assert not run.is_materialized("b")
