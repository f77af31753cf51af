"""Notebooks as ops: independent ones of a job, or wired with any others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, execute
from tests.notebooks import executed_notebooks, printed, write_notebook


def test_a_list_of_paths_is_a_job_of_independent_notebooks(tmp_path: Path) -> None:
    paths = [write_notebook(tmp_path / f"{name}.ipynb", f"nb.output('is', '{name}')") for name in ("a", "b")]
    job = nbd.notebook_job("report", paths, description="Reports", tags={"team": "x"})
    run = execute(tmp_path / "store", job)
    assert (job.name, job.description) == ("report", "Reports")
    assert run.result.dagster_run.tags["team"] == "x"
    assert [run.result.output_for_node(name) for name in ("a", "b")] == [{"is": "a"}, {"is": "b"}]


def test_one_that_fails_does_not_keep_the_others_from_running(tmp_path: Path) -> None:
    paths = [write_notebook(tmp_path / "a.ipynb", "1 / 0"), write_notebook(tmp_path / "b.ipynb", "1")]
    run = execute(tmp_path / "store", nbd.notebook_job("report", paths))
    assert not run.result.success
    assert run.result.is_node_success("b")


def test_the_launchpad_of_a_job_has_each_notebooks_parameters(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('n', n)", parameters="n: int")
    run = execute(tmp_path / "store", nbd.notebook_job("report", [path]), {"a": {"n": 4}})
    assert run.result.output_for_node("a") == {"n": 4}
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"'n': 0|\"n\""):
        execute(tmp_path / "store", nbd.notebook_job("report", [path]), {"a": {}})


def test_a_job_may_set_config(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('n', n)", parameters="n = 1")
    job = nbd.notebook_job("report", [path], config={"ops": {"a": {"config": {"n": 5}}}})
    result = job.execute_in_process(resources=nbd.resources(str(tmp_path / "store")))
    assert result.output_for_node("a") == {"n": 5}


def test_a_job_may_have_the_name_of_its_notebook(tmp_path: Path) -> None:
    run = execute(tmp_path / "store", nbd.notebook_job("a", [write_notebook(tmp_path / "a.ipynb", "1")]))
    assert run.result.success


def test_one_notebook_twice_needs_two_names(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('n', n)", parameters="n = 1")
    ops = [nbd.notebook_op(path, name=f"a_{n}", params={"n": n}) for n in (1, 2)]
    run = execute(tmp_path / "store", nbd.notebook_job("twice", ops))
    assert [run.result.output_for_node(f"a_{n}") for n in (1, 2)] == [{"n": 1}, {"n": 2}]


class TestWired:
    """Two ordinary ops around two notebooks, and one that only waits."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("wired")

        @dg.op
        def fetch() -> pd.DataFrame:
            return pd.DataFrame({"a": [1, 2, 3]})

        @dg.op
        def add(total: Any, count: Any) -> int:
            return int(total + count)

        count = nbd.notebook_op(
            write_notebook(
                folder / "count.ipynb",
                "nb.output('total', int(frame.a.sum()) * factor)\nnb.output('count', len(frame))\nnb.metric('m', 0.5)",
                parameters="frame = None\nfactor = 1",
            ),
            ins=["frame"],
            outs=["total", "count"],
            params={"factor": 10},
        )
        after = nbd.notebook_op(
            write_notebook(folder / "after.ipynb", "print({name: up.metrics for name, up in nb.upstream.items()})"),
            ins={"start": dg.In(dg.Nothing)},
        )
        report = nbd.notebook_op(
            write_notebook(
                folder / "report.ipynb", "nb.output('said', f'{value} {rows}')", parameters="value = 0\nrows: int"
            ),
            ins={"value": dg.In(dg.Any), "rows": dg.In(int), "start": dg.In(dg.Nothing)},
        )

        def wire() -> None:
            total, rows = count(fetch())
            waited = after(start=rows)
            report(value=add(total, rows), rows=rows, start=waited)

        return execute(folder / "store", nbd.notebook_job("nightly", wire))

    def test_values_go_from_op_to_notebook_and_back(self, run: DagsterRun) -> None:
        assert run.result.success
        assert run.result.output_for_node("count", "total") == 60
        assert run.result.output_for_node("count", "count") == 3
        assert run.result.output_for_node("add") == 63
        assert run.result.output_for_node("report") == {"said": "63 3"}

    def test_nothing_orders_without_a_parameter(self, run: DagsterRun) -> None:
        ends = [event.step_key for event in run.result.get_step_success_events()]
        assert ends.index("count") < ends.index("after") < ends.index("report")

    def test_a_notebook_that_only_waits_sees_what_was_recorded_before(self, run: DagsterRun) -> None:
        (executed,) = run.executed("after")
        assert printed(executed) == "{'count': {'m': 0.5}}\n"


def test_an_op_in_a_graph_of_ones_own_is_told_apart_by_its_upstreams_names(tmp_path: Path) -> None:
    record = nbd.notebook_op(write_notebook(tmp_path / "record.ipynb", "nb.metric('m', n)", parameters="n = 1"))
    look = nbd.notebook_op(
        write_notebook(tmp_path / "look.ipynb", "print({name: up.metrics['m'] for name, up in nb.upstream.items()})"),
        ins={"start": dg.In(dg.Nothing)},
    )

    @dg.job(resource_defs=nbd.resources(str(tmp_path / "store")), executor_def=dg.in_process_executor)
    def both() -> None:
        look(start=[record.alias("first")(), record.alias("second")()])

    result = both.execute_in_process({"ops": {"second": {"config": {"n": 2}}}})
    assert result.success
    (executed,) = executed_notebooks(tmp_path / "store", "look")
    assert printed(executed) == "{'first': 1.0, 'second': 2.0}\n"


def test_a_notebook_runs_once_for_each_of_a_dynamic_output(tmp_path: Path) -> None:
    @dg.op(out=dg.DynamicOut(int))
    def numbers() -> Any:
        for n in (1, 2):
            yield dg.DynamicOutput(n, mapping_key=str(n))

    @dg.op
    def total(values: Any) -> int:
        return sum(value["squared"] for value in values)

    square = nbd.notebook_op(
        write_notebook(tmp_path / "square.ipynb", "nb.output('squared', n * n)", parameters="n: int"), ins=["n"]
    )
    run = execute(tmp_path / "store", nbd.notebook_job("mapped", lambda: total(numbers().map(square).collect())))
    assert run.result.output_for_node("total") == 5
    assert len(run.executed("square")) == 2


def test_an_op_is_a_part_of_an_asset_made_of_a_graph(tmp_path: Path) -> None:
    upstream = nbd.notebook_asset(write_notebook(tmp_path / "upstream.ipynb", "nb.output('n', 2)"), outs=["n"])
    square = nbd.notebook_op(
        write_notebook(tmp_path / "square.ipynb", "nb.output('squared', n * n)", parameters="n: int"),
        ins=["n"],
        outs=["squared"],
    )

    @dg.graph_asset(ins={"n": dg.AssetIn("upstream")})
    def squared(n: Any) -> Any:
        return square(n)

    result = dg.materialize([upstream, squared], resources=nbd.resources(str(tmp_path / "store")))
    assert result.asset_value("squared") == 4


def test_an_input_that_is_no_parameter_is_refused_when_it_loads(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1", parameters="rows = 0")
    with pytest.raises(nbd.RunRefused, match="there is no parameter 'row'; did you mean 'rows'"):
        nbd.notebook_op(path, ins=["row"])


@pytest.mark.parametrize("name", ["ins", "outs"])
def test_ins_and_outs_as_one_text_are_refused_when_it_loads(tmp_path: Path, name: str) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1", parameters="n = 0")
    with pytest.raises(TypeError, match=f"{name} is a list of names"):
        nbd.notebook_op(path, **{name: "n"})  # type: ignore[arg-type]


def test_a_skip_keeps_what_is_wired_behind_it_from_running(tmp_path: Path) -> None:
    first = nbd.notebook_op(write_notebook(tmp_path / "first.ipynb", "nb.skip('nothing new')"), outs=["rows"])
    second = nbd.notebook_op(write_notebook(tmp_path / "second.ipynb", "1", parameters="rows = 0"), ins=["rows"])
    run = execute(tmp_path / "store", nbd.notebook_job("nightly", lambda: second(first())))
    assert run.result.success
    assert run.result.is_node_skipped("second")
