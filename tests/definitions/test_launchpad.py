"""The launchpad is the notebook's signature, and refuses what does not fit before any step starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize, new_instance
from tests.notebooks import executed_notebooks, printed, run_metadata, write_notebook

EVERY_TYPE = """\
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from annotated_types import Ge
from pydantic import Field

count = 3  # how many
ratio = 0.5
title = "digits"  # what the report is called
verbose = True
day: date = "2026-01-31"  # the day to report
moment: datetime = "2026-01-31T06:00:00+01:00"
folder: Path = "data"
sizes = [400, 500]
names: list[str] = ["a"]
table = {"a": 1}
weights: dict[str, float] = {"a": 0.5}
mode: Literal["fast", "exact"] = "fast"  # trade speed for truth
level: Literal[1, 2, 3] = 2
share: Annotated[float, Field(ge=0, le=1)] = 0.2
rounds: Annotated[int, Ge(1)] = 10
limit: int | None = None
either: int | str = 7
anything = None
region: str  # where it is
started = datetime.now()
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "typed.ipynb", "print('ran')", parameters=EVERY_TYPE)


@pytest.fixture
def fields(notebook: Path) -> dict[str, dg.Field]:
    return _fields(nbd.notebook_asset(notebook))


def _fields(asset: dg.AssetsDefinition) -> dict[str, dg.Field]:
    fields: dict[str, dg.Field] = asset.op.config_field.config_type.fields  # type: ignore[union-attr]
    return fields


def test_it_has_a_field_for_each_parameter_in_the_order_of_the_cell(fields: dict[str, dg.Field]) -> None:
    assert list(fields) == [
        *("count", "ratio", "title", "verbose", "day", "moment", "folder", "sizes", "names", "table", "weights"),
        *("mode", "level", "share", "rounds", "limit", "either", "anything", "region", "started"),
    ]


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("count", 3),
        ("ratio", 0.5),
        ("title", "digits"),
        ("verbose", True),
        ("day", "2026-01-31"),
        ("moment", "2026-01-31T06:00:00+01:00"),
        ("folder", "data"),
        ("sizes", [400, 500]),
        ("names", ["a"]),
        ("table", {"a": 1}),
        ("weights", {"a": 0.5}),
        ("mode", "fast"),
        ("level", 2),
        ("share", 0.2),
        ("rounds", 10),
        ("limit", None),
        ("either", 7),
    ],
)
def test_a_literal_default_is_the_default_of_its_field(fields: dict[str, dg.Field], name: str, default: object) -> None:
    assert fields[name].default_provided
    assert fields[name].default_value == default
    assert not fields[name].is_required


def test_a_name_without_a_value_is_required(fields: dict[str, dg.Field]) -> None:
    assert [name for name, field in fields.items() if field.is_required] == ["region"]


def test_a_default_that_is_no_literal_stays_the_notebooks_own(fields: dict[str, dg.Field]) -> None:
    assert not fields["started"].default_provided
    assert not fields["started"].is_required
    assert "datetime.now()" in (fields["started"].description or "")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("count", "how many [int]"),
        ("title", "what the report is called [str]"),
        ("day", "the day to report [date]"),
        ("mode", 'trade speed for truth [one of "fast", "exact"]'),
        ("share", "[float >= 0 and <= 1]"),
        ("names", "[list[str]]"),
        ("limit", "[int | None]"),
        ("region", "where it is [str]"),
    ],
)
def test_a_field_is_described_by_the_comment_and_the_type(
    fields: dict[str, dg.Field], name: str, description: str
) -> None:
    assert fields[name].description == description


@pytest.mark.parametrize(
    ("name", "kind"),
    [("count", "Int"), ("ratio", "Float"), ("title", "String"), ("verbose", "Bool"), ("folder", "String")],
)
def test_a_plain_type_is_dagsters_own(fields: dict[str, dg.Field], name: str, kind: str) -> None:
    assert fields[name].config_type.given_name == kind


def test_choices_of_text_are_an_enum_that_the_launchpad_completes(fields: dict[str, dg.Field]) -> None:
    mode: Any = fields["mode"].config_type
    assert [value.config_value for value in mode.enum_values] == ["fast", "exact"]


ACCEPTED = [
    ("count", 0),
    ("ratio", 2),
    ("title", ""),
    ("verbose", False),
    ("day", "2024-02-29"),
    ("moment", "2026-01-31T06:00:00Z"),
    ("sizes", [1, "two", None]),
    ("names", []),
    ("weights", {"a": 1}),
    ("mode", "exact"),
    ("level", 3),
    ("share", 1),
    ("rounds", 1),
    ("limit", None),
    ("limit", 5),
    ("either", "seven"),
    ("anything", {"deep": [1, {"er": None}]}),
    ("started", "2026-01-31T06:00:00"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_a_value_of_the_type_is_taken(notebook: Path, name: str, value: object) -> None:
    job = dg.Definitions(assets=[nbd.notebook_asset(notebook)], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def(
        "all"
    )
    assert dg.validate_run_config(job, {"ops": {"typed__notebook": {"config": {"region": "north", name: value}}}})


REFUSED = [
    ("count", "three", "Int"),
    ("count", 1.5, "Int"),
    ("count", True, "Int"),
    ("count", None, "None"),
    ("ratio", "half", "Float"),
    ("title", 3, "String"),
    ("verbose", 1, "Bool"),
    ("day", "2026-02-30", "must be date"),
    ("day", "31.1.2026", "write 2026-01-31"),
    ("moment", "yesterday", "must be datetime"),
    ("names", ["a", 1], "String"),
    ("names", "a", "must be list"),
    ("weights", {"a": "much"}, "Float"),
    ("mode", "slow", 'one of "fast", "exact"'),
    ("level", 4, "one of 1, 2, 3"),
    ("share", 1.5, "float >= 0 and <= 1"),
    ("rounds", 0, "int >= 1"),
    ("rounds", "ten", "int >= 1"),
    ("limit", "none", "Int"),
    ("either", 1.5, "int | str"),
]


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_a_value_of_another_type_is_refused_with_its_name_and_what_was_expected(
    notebook: Path, name: str, value: object, expected: str
) -> None:
    asset = nbd.notebook_asset(notebook)
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        dg.materialize([asset], run_config={"ops": {"typed__notebook": {"config": {"region": "x", name: value}}}})
    assert name in str(refused.value)
    assert expected in str(refused.value)


def test_an_unknown_name_is_refused_and_the_declared_ones_are_named(notebook: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="cuont") as refused:
        materialize(notebook.parent, nbd.notebook_asset(notebook), config={"typed": {"region": "north", "cuont": 4}})
    assert "count" in str(refused.value)


def test_a_required_parameter_without_a_value_is_refused(notebook: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="region"):
        materialize(notebook.parent, nbd.notebook_asset(notebook))


def test_a_refused_launch_leaves_no_run_and_no_executed_notebook(notebook: Path, tmp_path: Path) -> None:
    instance = new_instance(tmp_path / "store")
    with pytest.raises(dg.DagsterInvalidConfigError):
        materialize(
            tmp_path / "store", nbd.notebook_asset(notebook), config={"typed": {"day": "never"}}, instance=instance
        )
    assert instance.get_runs_count() == 0
    assert not (tmp_path / "store").exists()


def test_a_notebook_without_parameters_takes_none(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(write_notebook(tmp_path / "plain.ipynb", "1 + 1"))
    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "n"'):
        materialize(tmp_path / "store", asset, config={"plain": {"n": 1}})


def test_params_of_the_definition_are_the_defaults(notebook: Path) -> None:
    fields = _fields(nbd.notebook_asset(notebook, params={"count": 4, "region": "north", "limit": 9}))
    assert [fields[name].default_value for name in ("count", "region", "limit")] == [4, "north", 9]
    assert not fields["region"].is_required


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"cuont": 4}, "there is no parameter 'cuont'; did you mean 'count'?"),
        ({"count": "four"}, "parameter 'count' must be int (line 7 of its parameters cell), not the text 'four'"),
        ({"day": "never"}, "parameter 'day' must be date (line 11 of its parameters cell), not the text 'never'"),
        ({"share": 2}, "parameter 'share' must be float >= 0 and <= 1 (line 20 of its parameters cell), not 2.0"),
        ({"mode": "slow"}, 'parameter \'mode\' must be one of "fast", "exact"'),
    ],
)
def test_params_of_the_definition_that_do_not_fit_are_refused_when_it_loads(
    notebook: Path, params: dict[str, object], words: str
) -> None:
    with pytest.raises(nbd.RunRefused) as refused:
        nbd.notebook_asset(notebook, params=params)
    assert words in str(refused.value)
    assert str(notebook) in str(refused.value)


SHOW = """\
for name in ("count", "day", "moment", "folder", "level", "share", "limit", "names"):
    print(name, "=", repr(globals()[name]))
"""


class TestLaunchedValues:
    """Values as the notebook then has them: the launchpad's, before the definition's, before the notebook's own."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("launched")
        asset = nbd.notebook_asset(
            write_notebook(folder / "typed.ipynb", SHOW, parameters=EVERY_TYPE),
            params={"count": 4, "limit": 9, "region": "north"},
        )
        return materialize(folder / "store", asset, config={"typed": {"limit": 10, "day": "2024-02-29", "share": 1}})

    def test_they_arrive_as_the_declared_types(self, run: DagsterRun) -> None:
        shown = printed(run.executed("typed")[0]).splitlines()
        assert shown == [
            "count = 4",
            "day = datetime.date(2024, 2, 29)",
            "moment = datetime.datetime(2026, 1, 31, 6, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))",
            "folder = PosixPath('data')",
            "level = 2",
            "share = 1.0",
            "limit = 10",
            "names = ['a']",
        ]

    def test_all_of_them_are_in_the_executed_notebook_and_in_the_materialization(self, run: DagsterRun) -> None:
        (executed,) = executed_notebooks(run.store, "typed")
        parameters = run_metadata(executed)["parameters"]
        assert parameters["count"] == 4
        assert parameters["day"] == "2024-02-29"
        assert parameters["region"] == "north"
        assert run.values("typed")["parameters"] == parameters
