"""Upstream values fill parameters: loaded once, handed over as what they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import cell_statuses, injected, printed, run_metadata, write_notebook

SHAPES = """\
class Square:
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2
"""
TAKE = """\
print("number", number + 1)
print("words", " ".join(words))
print("frame", type(frame).__name__, list(frame.columns), int(frame.b.sum()))
print("array", type(array).__name__, array.dtype, array.sum())
print("square", type(square).__module__, square.area())
nb.output("total", number + int(frame.b.sum()))
"""


class CountingIOManager(dg.IOManager):
    """Keeps values in memory, and counts."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.stored: Counter[str] = Counter()
        self.loaded: Counter[str] = Counter()

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        name = context.asset_key.to_user_string()
        self.stored[name] += 1
        self.kept[name] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        name = context.asset_key.to_user_string()
        self.loaded[name] += 1
        return self.kept[name]


class TestOneNotebookWithManyInputs:
    @pytest.fixture(scope="class")
    @classmethod
    def io_manager(cls) -> CountingIOManager:
        return CountingIOManager()

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory, io_manager: CountingIOManager) -> DagsterRun:
        folder = tmp_path_factory.mktemp("inputs")
        (folder / "shapes.py").write_text(SHAPES)

        @dg.asset
        def number() -> int:
            return 3

        @dg.asset(key_prefix="in")
        def words() -> list[str]:
            return ["from", "dagster"]

        @dg.asset
        def array() -> Any:
            return np.arange(4.0)

        @dg.asset
        def square() -> Any:
            import shapes  # type: ignore[import-not-found]

            return shapes.Square(5)

        frame = nbd.notebook_asset(
            write_notebook(
                folder / "make_frame.ipynb",
                "import pandas as pd",
                "nb.output('frame', pd.DataFrame({'a': ['x', 'y'], 'b': [1, 2]}))",
            ),
            outs=["frame"],
        )
        take = nbd.notebook_asset(
            write_notebook(
                folder / "take.ipynb",
                TAKE,
                parameters="number: int\nwords: list[str] = []\nframe = None\narray: 'np.ndarray'\nsquare: 'shapes.Square' = None",
            ),
            ins={
                "number": number,
                "words": dg.AssetKey(["in", "words"]),
                "frame": "make_frame",
                "array": dg.AssetIn("array"),
                "square": ["square"],
            },
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(folder)
            return materialize(
                folder / "store",
                *(number, words, array, square, frame, take),
                resources={"io_manager": io_manager},
            )

    def test_json_arrives_as_the_parameter_declares(self, run: DagsterRun) -> None:
        assert {"number 4", "words from dagster"} <= _lines(run)

    def test_a_frame_arrives_as_a_frame(self, run: DagsterRun) -> None:
        assert "frame DataFrame ['a', 'b'] 3" in _lines(run)

    def test_an_array_arrives_as_an_array(self, run: DagsterRun) -> None:
        assert "array ndarray float64 6.0" in _lines(run)

    def test_any_other_object_arrives_as_it_is(self, run: DagsterRun) -> None:
        assert "square shapes 25" in _lines(run)

    def test_each_value_is_loaded_once_and_stored_once(self, run: DagsterRun, io_manager: CountingIOManager) -> None:
        assert run.result.success
        assert io_manager.loaded == dict.fromkeys(("number", "in/words", "array", "square", "make_frame"), 1)
        assert io_manager.stored == {**io_manager.loaded, "take": 1}

    def test_the_frame_of_a_notebook_is_stored_as_a_frame(self, run: DagsterRun, io_manager: CountingIOManager) -> None:
        assert isinstance(io_manager.kept["make_frame"], pd.DataFrame)

    def test_an_input_is_no_field_of_the_launchpad(self, run: DagsterRun) -> None:
        config = {"ops": {"take__notebook": {"config": {"number": 4}}}}
        with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "number"'):
            dg.validate_run_config(run.result.job_def, config)

    def test_the_cell_with_parameters_holds_no_big_value(self, run: DagsterRun) -> None:
        (executed,) = run.executed("take")
        assert 'frame = nb.input("frame")' in injected(executed)
        assert "number = 3" in injected(executed)
        assert run_metadata(executed)["parameters"]["number"] == 3

    def test_what_was_handed_over_is_gone_afterwards(self, run: DagsterRun) -> None:
        assert not list(run.store.parent.rglob("*.pickle"))


def _lines(run: DagsterRun) -> set[str]:
    return set(printed(run.executed("take")[0]).splitlines())


def test_a_value_that_the_parameters_type_does_not_take_fails_the_step_and_starts_nothing(tmp_path: Path) -> None:
    @dg.asset
    def number() -> Any:
        return "three"

    take = nbd.notebook_asset(
        write_notebook(tmp_path / "take.ipynb", "print(number)", parameters="number: int"),
        ins={"number": number},
        retry_policy=dg.RetryPolicy(max_retries=3),
    )
    run = materialize(tmp_path / "store", number, take)
    assert "parameter 'number' must be int" in (run.failure("take__notebook").description or "")
    assert not list((tmp_path / "store").rglob("*.ipynb"))
    assert not list((tmp_path / "store" / "take").glob("*"))


def test_an_object_that_cannot_be_pickled_is_refused_by_its_name(tmp_path: Path) -> None:
    @dg.asset(io_manager_key="memory")
    def handle() -> Any:
        return lambda: 1

    take = nbd.notebook_asset(
        write_notebook(tmp_path / "take.ipynb", "print(handle)", parameters="handle = None"), ins={"handle": handle}
    )
    run = materialize(tmp_path / "store", handle, take, resources={"memory": CountingIOManager()})
    assert "the value for 'handle', a value of type builtins.function, cannot be handed to a kernel" in (
        run.failure("take__notebook").description or ""
    )
    assert run.executed("take") == []


def test_an_input_that_is_no_parameter_is_refused_when_it_loads(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "take.ipynb", "1", parameters="number = 3")
    with pytest.raises(nbd.RunRefused, match=r"ins: .*there is no parameter 'nmber'; did you mean 'number'"):
        nbd.notebook_asset(path, ins={"nmber": "upstream"})


def test_a_selected_notebook_alone_takes_what_was_stored_before(tmp_path: Path) -> None:
    io_manager = CountingIOManager()
    io_manager.kept["number"] = 41
    number = dg.AssetSpec("number")
    take = nbd.notebook_asset(
        write_notebook(tmp_path / "take.ipynb", "print(number + 1)", parameters="number: int"), ins={"number": number}
    )
    run = materialize(tmp_path / "store", number, take, resources={"io_manager": io_manager}, selection=["take"])
    (executed,) = run.executed("take")
    assert printed(executed) == "42\n"
    assert cell_statuses(executed) == ["succeeded"] * 3


def test_an_asset_that_fills_two_parameters_is_refused_when_it_loads(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "take.ipynb", "1", parameters="a = 1\nb = 2")
    with pytest.raises(nbd.RunRefused, match="'a' and 'b' are both filled from number; an asset fills one parameter"):
        nbd.notebook_asset(path, ins={"a": "number", "b": dg.AssetKey("number")})


def test_an_asset_that_it_waits_for_may_have_the_name_of_a_parameter(tmp_path: Path) -> None:
    @dg.asset
    def number() -> int:
        return 3

    @dg.asset
    def rows() -> str:
        return "never loaded"

    notebook = write_notebook(tmp_path / "take.ipynb", "nb.output('rows', rows)", parameters="rows: int")
    take = nbd.notebook_asset(notebook, ins={"rows": number}, deps=[rows], outs=["rows"])
    run = materialize(tmp_path / "store", number, rows, take)
    assert run.result.asset_value("take") == 3
    assert {dep.asset_key.to_user_string() for spec in take.specs for dep in spec.deps} == {"number", "rows"}


def test_an_input_may_say_how_partitions_map_and_a_dependency_too(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "take.ipynb", "1", parameters="a = 1\nb = 2")
    last = dg.LastPartitionMapping()
    take = nbd.notebook_asset(
        notebook,
        ins={"a": dg.AssetIn("first", partition_mapping=last), "b": dg.AssetIn(key_prefix="deep")},
        deps=[dg.AssetDep("second", partition_mapping=last), dg.AssetKey(["deep", "b"])],
    )
    (spec,) = take.specs
    mappings = {dep.asset_key.to_user_string(): dep.partition_mapping for dep in spec.deps}
    assert mappings == {"first": last, "second": last, "deep/b": None}
    assert take.node_keys_by_input_name["b"] == dg.AssetKey(["deep", "b"])
