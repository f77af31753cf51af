"""What a notebook hands out becomes what Dagster stores, shows and checks."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook

RECORD = """\
import pandas as pd
nb.output("rows", 120)
nb.output("name", "digits")
nb.output("nothing", None)
nb.output("table", [{"a": 1}])
nb.output("frame", pd.DataFrame({"a": [1, 2, 3]}))
nb.metric("auc", 0.93)
nb.metric("n", 4)
nb.metric("lost", float("nan"))
nb.artifact("models/model.txt", b"a model")
"""
DRAW = """\
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
for name in ("roc [1]", *(f"more {n}" for n in range(14))):
    fig, axes = plt.subplots(figsize=(12, 3), dpi=100)
    axes.plot([1, 2, 3])
    nb.figure(name, fig)
"""


def test_without_outs_it_hands_out_the_dict_of_all_its_outputs(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "both.ipynb", "nb.output('a', 1)\nnb.output('b', [2, None])\nnb.output('a', 3)"
    )
    run = materialize(tmp_path / "store", nbd.notebook_asset(notebook))
    assert run.result.asset_value("both") == {"a": 3, "b": [2, None]}


def test_a_notebook_that_hands_out_nothing_is_an_empty_dict(tmp_path: Path) -> None:
    run = materialize(tmp_path / "store", nbd.notebook_asset(write_notebook(tmp_path / "plain.ipynb", "1 + 1")))
    assert run.result.asset_value("plain") == {}


def test_its_one_declared_output_is_the_value_of_the_asset(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "one.ipynb", "nb.output('a', 1)\nnb.output('b', 2)")
    run = materialize(tmp_path / "store", nbd.notebook_asset(notebook, name="named", key_prefix="team", outs=["b"]))
    assert run.result.asset_value(["team", "named"]) == 2


def test_a_declared_output_may_be_none(tmp_path: Path) -> None:
    run = materialize(
        tmp_path / "store",
        nbd.notebook_asset(write_notebook(tmp_path / "one.ipynb", "nb.output('a', None)"), outs=["a"]),
    )
    assert run.result.success
    assert run.result.asset_value("one") is None


class TestSeveralOutputs:
    """Each is an asset of its own."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("several")
        source = (
            "import pandas as pd\nnb.output('a', pd.DataFrame({'x': [1, 2]}))\nnb.output('b', 2)\nnb.metric('m', 3)"
        )
        split = nbd.notebook_asset(
            write_notebook(folder / "split.ipynb", source, text="# Splits"), key_prefix="team", outs=["a", "b"]
        )

        @dg.asset(key_prefix="team")
        def total(a: pd.DataFrame, b: int) -> int:
            return int(a.x.sum()) + b

        return materialize(folder / "store", split, total)

    def test_their_keys_are_the_names_under_the_prefix(self, run: DagsterRun) -> None:
        assert {key.to_user_string() for key in run.result.job_def.asset_layer.executable_asset_keys} == {
            *("team/a", "team/b", "team/total")
        }

    def test_downstream_takes_one_or_the_other(self, run: DagsterRun) -> None:
        assert run.result.asset_value(["team", "total"]) == 5

    def test_each_has_the_metadata_of_the_run(self, run: DagsterRun) -> None:
        assert run.values("team", "a")["m"] == run.values("team", "b")["m"] == 3

    def test_only_the_frame_has_a_row_count(self, run: DagsterRun) -> None:
        assert run.values("team", "a")["dagster/row_count"] == 2
        assert "dagster/row_count" not in run.values("team", "b")

    def test_the_notebook_ran_once(self, run: DagsterRun) -> None:
        assert len(run.executed("split")) == 1


class TestAssetOutsOfOnesOwn:
    """What they say counts; the rest is the notebook's."""

    @pytest.fixture(scope="class")
    @classmethod
    def asset(cls, tmp_path_factory: pytest.TempPathFactory) -> dg.AssetsDefinition:
        folder = tmp_path_factory.mktemp("outs")
        return nbd.notebook_asset(
            write_notebook(
                folder / "split.ipynb", "nb.output('a', 1)\nnb.output('b', 2)\nnb.output('c', 3)", text="Splits"
            ),
            key_prefix="team",
            group_name="all",
            tags={"from": "notebook"},
            checks=["good"],
            outs={
                "a": dg.AssetOut(key=["other", "alpha"], group_name="own", description="First", kinds={"csv"}),
                "b": dg.AssetOut(key_prefix="deep", tags={"own": "yes"}, is_required=True),
                "c": dg.AssetOut(),
            },
        )

    def test_their_keys_are_given_or_under_the_prefix(self, asset: dg.AssetsDefinition) -> None:
        assert {key.to_user_string() for key in asset.keys} == {"other/alpha", "deep/b", "team/c"}

    def test_a_key_from_another_name_hands_out_its_own_record(self, asset: dg.AssetsDefinition, tmp_path: Path) -> None:
        run = materialize(tmp_path / "store", asset)
        assert run.result.asset_value(["other", "alpha"]) == 1
        assert run.result.asset_value(["team", "c"]) == 3

    def test_what_they_say_counts(self, asset: dg.AssetsDefinition) -> None:
        spec = asset.specs_by_key[dg.AssetKey(["other", "alpha"])]
        assert (spec.group_name, spec.description) == ("own", "First")
        assert spec.kinds == {"csv", "jupyter", "python"}

    def test_the_rest_is_the_notebooks(self, asset: dg.AssetsDefinition) -> None:
        spec = asset.specs_by_key[dg.AssetKey(["deep", "b"])]
        assert (spec.group_name, spec.description) == ("all", "Splits")
        assert spec.code_version
        assert "notebook" in spec.metadata
        assert spec.tags["from"] == "notebook"
        assert spec.tags["own"] == "yes"


def test_one_output_with_an_asset_out_is_still_the_asset(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "one.ipynb", "nb.skip('nothing new')")
    asset = nbd.notebook_asset(notebook, key_prefix="team", outs={"rows": dg.AssetOut(io_manager_key="io_manager")})
    assert asset.key == dg.AssetKey(["team", "one"])
    assert materialize(tmp_path / "store", asset).result.success


def test_a_declared_output_that_is_never_handed_out_fails_in_words_without_a_retry(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "split.ipynb", "nb.output('a', 1)")
    asset = nbd.notebook_asset(notebook, outs=["a", "b"], retry_policy=dg.RetryPolicy(max_retries=2))
    run = materialize(tmp_path / "store", asset)
    assert run.failure("split__notebook").description == (
        f'{notebook} succeeded, but never called nb.output("b", ...), which its definition declares in outs'
    )
    assert len(run.executed("split")) == 1
    assert not run.is_materialized("a")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (dg.AssetCheckSpec("good", asset="another"), "checks: 'good' is of another, but the notebook makes one"),
        ("a", "checks: 'a' has the name of the output 'one_a'"),
    ],
)
def test_a_check_that_cannot_be_its_own_is_refused_when_it_loads(
    tmp_path: Path, check: str | dg.AssetCheckSpec, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        nbd.notebook_asset(write_notebook(tmp_path / "one.ipynb", "1"), outs=["one_a"], checks=[check])


@pytest.mark.parametrize("name", ["outs", "checks", "deps"])
def test_names_as_one_text_are_refused_when_it_loads(tmp_path: Path, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is a list of names, not the text 'rows'"):
        nbd.notebook_asset(write_notebook(tmp_path / "one.ipynb", "1"), **{name: "rows"})  # type: ignore[arg-type]


class TestMetadata:
    """The materialization shows what the notebook recorded."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("metadata")
        return materialize(
            folder / "store",
            nbd.notebook_asset(
                write_notebook(folder / "record.ipynb", RECORD, DRAW, parameters="n = 3"), outs=["frame"]
            ),
        )

    def test_a_metric_is_a_number_that_is_plotted(self, run: DagsterRun) -> None:
        assert run.metadata("record")["auc"] == dg.MetadataValue.float(0.93)
        assert run.metadata("record")["n"] == dg.MetadataValue.float(4.0)

    def test_a_metric_that_is_not_finite_is_left_out(self, run: DagsterRun) -> None:
        assert "lost" not in run.metadata("record")

    def test_a_plain_output_is_shown_as_it_is(self, run: DagsterRun) -> None:
        assert run.metadata("record")["rows"] == dg.MetadataValue.int(120)
        assert run.metadata("record")["name"] == dg.MetadataValue.text("digits")

    def test_a_list_is_shown_as_json(self, run: DagsterRun) -> None:
        assert run.metadata("record")["table"] == dg.MetadataValue.json([{"a": 1}])

    def test_an_artifact_is_the_path_of_a_file_beside_the_executed_notebook(self, run: DagsterRun) -> None:
        shown = run.metadata("record")["models/model.txt"]
        assert isinstance(shown, dg.PathMetadataValue)
        assert Path(str(shown.value)).read_text() == "a model"
        assert Path(str(shown.value)).is_relative_to(run.executed("record")[0].parent)

    def test_a_frame_has_its_row_count(self, run: DagsterRun) -> None:
        assert run.values("record")["dagster/row_count"] == 3

    def test_a_figure_is_a_small_picture_in_markdown(self, run: DagsterRun) -> None:
        shown = run.metadata("record")["roc (1)"]
        assert isinstance(shown, dg.MarkdownMetadataValue)
        text = str(shown.value)
        start = "![roc (1)](data:image/png;base64,"
        assert text.startswith(start)
        with Image.open(io.BytesIO(base64.b64decode(text.removeprefix(start).removesuffix(")")))) as picture:
            assert picture.format == "PNG"
            assert max(picture.size) <= 480
        assert len(text) < 20_000

    def test_of_many_figures_twelve_are_shown_and_the_rest_counted(self, run: DagsterRun) -> None:
        pictures = [value for value in run.metadata("record").values() if "data:image" in str(value.value)]
        assert len(pictures) == 12
        assert run.values("record")["figures"] == "3 more in the executed notebook"

    def test_the_executed_notebook_opens_from_it(self, run: DagsterRun) -> None:
        shown = run.metadata("record")["executed_notebook"]
        assert isinstance(shown, dg.NotebookMetadataValue)
        assert Path(str(shown.value)).is_file()

    def test_it_has_the_parameters_and_the_duration(self, run: DagsterRun) -> None:
        assert run.values("record")["parameters"] == {"n": 3}
        assert 0 < run.values("record")["notebook_duration_s"] < 60

    def test_the_executed_notebook_says_how_it_ended(self, run: DagsterRun) -> None:
        (executed,) = run.executed("record")
        said = run_metadata(executed)
        assert said["status"] == "succeeded"
        assert said["reason"] is None
        assert said["run_id"] == run.result.run_id
        assert said["workflow"] == "record"
        assert cell_statuses(executed) == ["succeeded"] * 3


class TestBigValues:
    """They are handed on whole, but Dagster's event log has only what can be shown."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("big")
        source = "nb.output('list', ['x' * 100] * 30_000)\nnb.output('text', 'y' * 300_000)\nnb.metric('m', 0.5)"
        big = nbd.notebook_asset(write_notebook(folder / "big.ipynb", source))
        show = "up = nb.upstream['big']\nprint(len(up.outputs['list']), len(up.outputs['text']), up.metrics)"
        look = nbd.notebook_asset(write_notebook(folder / "look.ipynb", show), deps=[big])
        return materialize(folder / "store", big, look)

    def test_what_is_too_long_is_cut_with_a_mark(self, run: DagsterRun) -> None:
        shown = run.values("big")
        assert shown["list"] == "a list of 30,000 items, too long to be shown here"
        assert str(shown["text"]).endswith("yyy… (the first 2,000 of 300,000 characters)")
        assert len(str(run.metadata("big"))) < 10_000

    def test_downstream_has_them_whole(self, run: DagsterRun) -> None:
        assert printed(run.executed("look")[0]) == "30000 300000 {'m': 0.5}\n"
        assert len(run.result.asset_value("big")["list"]) == 30_000


def test_a_record_cannot_stand_for_metadata_of_ours(tmp_path: Path) -> None:
    source = "for name in ('executed_notebook', 'parameters', 'nb_dagster/records'):\n    nb.output(name, 'mine')"
    run = materialize(tmp_path / "store", nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", source)))
    assert run.values("a")["executed_notebook"] != "mine"
    assert run.values("a")["parameters"] == {}


CHECK = """\
nb.check("passes", True, description="all there")
nb.check("fails", False)
nb.check("warns", 1 > 2, severity="warn", description="a bit late")
nb.check("undeclared", False)
"""


class TestChecks:
    @pytest.fixture(scope="class")
    @classmethod
    def checks(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dg.AssetCheckEvaluation]:
        folder = tmp_path_factory.mktemp("checks")
        asset = nbd.notebook_asset(
            write_notebook(folder / "checked.ipynb", CHECK),
            key_prefix="team",
            checks=["passes", "fails", "warns", dg.AssetCheckSpec("never", asset=["team", "checked"])],
        )
        run = materialize(folder / "store", asset)
        assert run.result.success
        return {check.check_name: check for check in run.result.get_asset_check_evaluations()}

    def test_one_that_passes_is_a_passed_asset_check(self, checks: dict[str, dg.AssetCheckEvaluation]) -> None:
        assert checks["passes"].passed
        assert checks["passes"].asset_key == dg.AssetKey(["team", "checked"])
        assert checks["passes"].description == "all there"

    def test_one_that_fails_is_a_failed_asset_check_and_the_step_succeeds(
        self, checks: dict[str, dg.AssetCheckEvaluation]
    ) -> None:
        assert not checks["fails"].passed
        assert checks["fails"].severity == dg.AssetCheckSeverity.ERROR

    def test_one_that_only_warns_has_that_severity(self, checks: dict[str, dg.AssetCheckEvaluation]) -> None:
        assert not checks["warns"].passed
        assert checks["warns"].severity == dg.AssetCheckSeverity.WARN
        assert checks["warns"].description == "a bit late"

    def test_one_that_was_never_made_did_not_pass(self, checks: dict[str, dg.AssetCheckEvaluation]) -> None:
        assert not checks["never"].passed
        assert checks["never"].description == 'the notebook never called nb.check("never", ...)'

    def test_one_that_is_not_declared_is_no_asset_check(self, checks: dict[str, dg.AssetCheckEvaluation]) -> None:
        assert set(checks) == {"passes", "fails", "warns", "never"}


def test_a_blocking_check_that_fails_keeps_downstream_from_running(tmp_path: Path) -> None:
    first = nbd.notebook_asset(
        write_notebook(tmp_path / "first.ipynb", "nb.check('good', False)"),
        checks=[dg.AssetCheckSpec("good", asset="first", blocking=True)],
    )
    second = nbd.notebook_asset(write_notebook(tmp_path / "second.ipynb", "1"), deps=[first])
    run = materialize(tmp_path / "store", first, second)
    assert not run.result.success
    assert run.executed("second") == []


def test_two_notebooks_of_one_name_under_two_prefixes_live_in_one_graph(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "rows.ipynb", "nb.output('n', n)", parameters="n = 1")
    first = nbd.notebook_asset(notebook, key_prefix=["team-a", "raw"], outs=["n"])
    second = nbd.notebook_asset(notebook, key_prefix="b", outs=["n"], params={"n": 2})
    run = materialize(tmp_path / "store", first, second)
    assert run.result.asset_value(["team-a", "raw", "rows"]) == 1
    assert run.result.asset_value(["b", "rows"]) == 2
