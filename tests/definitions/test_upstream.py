"""What upstream notebooks recorded is in ``nb.upstream``: of this run, or as it was last materialized."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import materialize, new_instance
from tests.notebooks import executed_notebooks, printed, write_notebook

RECORD = """\
import pandas as pd
nb.output("rows", 120)
nb.output("nested", {"a": [1, None]})
nb.output("frame", pd.DataFrame({"a": [1, 2]}))
nb.metric("auc", 0.93)
nb.metric("lost", float("nan"))
nb.artifact("models/model.txt", b"a model")
nb.check("no_nulls", True)
nb.check("fresh", False, severity="warn")
"""
LOOK = """\
from pathlib import Path
up = nb.upstream["train"]
print("names", sorted(nb.upstream))
print("outputs", up.outputs["rows"], up.outputs["nested"], int(up.outputs["frame"].a.sum()))
print("metrics", up.metrics)
print("artifact", Path(up.artifacts["models/model.txt"]).read_text())
print("checks", up.checks)
try:
    nb.upstream["trian"]
except LookupError as error:
    print(error)
"""


class TestTheSameRun:
    @pytest.fixture(scope="class")
    @classmethod
    def lines(cls, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
        folder = tmp_path_factory.mktemp("same_run")

        @dg.asset
        def plain() -> int:
            return 3

        train = nbd.notebook_asset(write_notebook(folder / "train.ipynb", RECORD), key_prefix=["team", "models"])
        look = nbd.notebook_asset(write_notebook(folder / "look.ipynb", LOOK), deps=[train, plain])
        run = materialize(folder / "store", train, plain, look)
        assert run.result.success
        return printed(run.executed("look")[0]).splitlines()

    def test_it_names_the_upstream_notebooks_and_no_ordinary_asset(self, lines: list[str]) -> None:
        assert "names ['train']" in lines

    def test_it_has_outputs_frames_among_them(self, lines: list[str]) -> None:
        assert "outputs 120 {'a': [1, None]} 3" in lines

    def test_it_has_metrics(self, lines: list[str]) -> None:
        assert "metrics {'auc': 0.93, 'lost': None}" in lines

    def test_it_has_artifacts_as_paths_of_files(self, lines: list[str]) -> None:
        assert "artifact a model" in lines

    def test_it_has_checks(self, lines: list[str]) -> None:
        assert "checks {'fresh': False, 'no_nulls': True}" in lines

    def test_an_unknown_name_names_those_there_are(self, lines: list[str]) -> None:
        assert "nb.upstream['trian']: the upstreams of this run are: train" in lines[-1]


def _number(folder: Path) -> dg.AssetsDefinition:
    return nbd.notebook_asset(
        write_notebook(folder / "number.ipynb", "nb.output('n', n)\nnb.metric('m', n)", parameters="n = 0")
    )


def _look(folder: Path, *deps: dg.AssetsDefinition) -> dg.AssetsDefinition:
    show = "print({name: up.outputs.get('n') for name, up in nb.upstream.items()})"
    return nbd.notebook_asset(write_notebook(folder / "look.ipynb", show), deps=deps)


def test_a_notebook_run_alone_sees_what_its_upstream_recorded_last(tmp_path: Path) -> None:
    instance, store, number = new_instance(tmp_path / "store"), tmp_path / "store", _number(tmp_path)
    look = _look(tmp_path, number)
    for n in (1, 2):
        materialize(store, number, config={"number": {"n": n}}, instance=instance)
    run = materialize(store, number, look, selection=["look"], instance=instance)
    assert printed(run.executed("look")[0]) == "{'number': 2}\n"


def test_an_upstream_that_never_ran_is_not_there(tmp_path: Path) -> None:
    number = _number(tmp_path)
    run = materialize(tmp_path / "store", number, _look(tmp_path, number), selection=["look"])
    assert printed(run.executed("look")[0]) == "{}\n"


def test_an_input_is_an_upstream_too(tmp_path: Path) -> None:
    number = _number(tmp_path)
    take = nbd.notebook_asset(
        write_notebook(
            tmp_path / "take.ipynb", "print(value, nb.upstream['number'].metrics)", parameters="value = None"
        ),
        ins={"value": number},
    )
    run = materialize(tmp_path / "store", number, take, config={"number": {"n": 7}})
    assert printed(run.executed("take")[0]) == "{'n': 7} {'m': 7.0}\n"


def test_several_outputs_of_one_notebook_are_upstreams_by_their_own_names(tmp_path: Path) -> None:
    split = nbd.notebook_asset(
        write_notebook(tmp_path / "split.ipynb", "nb.output('a', 1)\nnb.output('b', 2)\nnb.metric('m', 3)"),
        outs=["a", "b"],
    )
    show = "print({name: (up.outputs, up.metrics) for name, up in nb.upstream.items()})"
    look = nbd.notebook_asset(write_notebook(tmp_path / "look.ipynb", show), deps=["b"])
    instance = new_instance(tmp_path / "store")
    materialize(tmp_path / "store", split, look, instance=instance)
    run = materialize(tmp_path / "store", split, look, instance=instance, selection=["look"])
    assert [printed(path) for path in run.executed("look")] == ["{'b': ({'a': 1, 'b': 2}, {'m': 3.0})}\n"] * 2


def test_a_run_sees_what_was_recorded_in_it_and_not_what_another_recorded_meanwhile(tmp_path: Path) -> None:
    store, number = tmp_path / "store", _number(tmp_path)
    instance = new_instance(store)

    @dg.asset(deps=[number])
    def meanwhile() -> None:
        materialize(store, number, config={"number": {"n": 2}}, instance=instance)

    look = _look(tmp_path, number, meanwhile)
    run = materialize(store, number, meanwhile, look, config={"number": {"n": 1}}, instance=instance)
    assert printed(run.executed("look")[0]) == "{'number': 1}\n"


class TestPartitions:
    """A partitioned notebook sees its own partition of a partitioned upstream."""

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("partitions")
        days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-10")
        show = "print(nb.upstream['number'].outputs['day'], nb.upstream['plain'].outputs['day'])"
        number = write_notebook(
            folder / "number.ipynb", "nb.output('day', partition_key)", parameters="partition_key = ''"
        )
        upstream = nbd.notebook_asset(number, partitions_def=days)
        plain = nbd.notebook_asset(number, name="plain")
        look = nbd.notebook_asset(
            write_notebook(folder / "look.ipynb", show), partitions_def=days, deps=[upstream, plain]
        )
        whole = nbd.notebook_asset(write_notebook(folder / "whole.ipynb", show), deps=[upstream, plain])
        weeks = dg.WeeklyPartitionsDefinition("2025-12-28", end_date="2026-01-11")
        week = nbd.notebook_asset(
            write_notebook(folder / "week.ipynb", show), partitions_def=weeks, deps=[upstream, plain]
        )
        instance, store = new_instance(folder / "store"), folder / "store"
        materialize(store, plain, instance=instance)
        for day in ("2026-01-02", "2026-01-03", "2026-01-04"):
            materialize(store, upstream, partition_key=day, instance=instance)
        for day in ("2026-01-03", "2026-01-02"):
            materialize(store, upstream, plain, look, partition_key=day, selection=["look"], instance=instance)
        materialize(store, upstream, plain, week, partition_key="2025-12-28", selection=["week"], instance=instance)
        materialize(store, upstream, plain, whole, selection=["whole"], instance=instance)
        return store

    def test_each_partition_sees_its_own(self, store: Path) -> None:
        shown = [printed(path) for path in executed_notebooks(store, "look")]
        assert shown == ["2026-01-03 \n", "2026-01-02 \n"]

    def test_one_of_other_partitions_sees_those_that_it_depends_on(self, store: Path) -> None:
        (executed,) = executed_notebooks(store, "week")
        assert printed(executed) == "2026-01-03 \n"

    def test_one_without_partitions_sees_the_latest(self, store: Path) -> None:
        (executed,) = executed_notebooks(store, "whole")
        assert printed(executed) == "2026-01-04 \n"
