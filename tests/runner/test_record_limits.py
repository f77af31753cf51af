"""What a notebook hands out is kept up to a limit; the result claims nothing that was left out."""

from pathlib import Path

import pytest

from tests.notebooks import read
from tests.runner.test_output_limits import run, text

MARK = (
    "more than {}: from here on a name that is known keeps its last value only, and further ones are left out; "
    "OutputLimits.{} says how much is kept"
)


def shown(path: str) -> list[str]:
    """What the executed notebook shows of records, in order."""
    outputs = [output for cell in read(path)["cells"] for output in cell.get("outputs", [])]
    return ["".join(output["data"]["text/plain"]) for output in outputs if "data" in output]


def test_names_beyond_the_limit_are_left_out_with_a_mark(tmp_path: Path) -> None:
    result, warnings, (outputs, _) = run(tmp_path, "for n in range(7): nb.output(f'x{n}', n)", "1", records=5)
    assert result.ok
    assert result.outputs == {"x0": 0, "x1": 1, "x2": 2, "x3": 3, "x4": 4}
    assert result.records.left_out == 2
    assert warnings == [f"cell 1: {MARK.format('5 records', 'records')}"]
    assert text(outputs[-1]) == f"\n[nb_dagster: {warnings[0].removeprefix('cell 1: ')}]\n"


def test_a_known_name_keeps_its_last_value_in_one_place(tmp_path: Path) -> None:
    source = "for n in range(50): nb.metric('loss', n)"
    result, warnings, _ = run(tmp_path, source, "for n in range(50, 100): nb.metric('loss', n)", records=3)
    assert result.metrics == {"loss": 99}
    assert result.records.left_out == 0
    assert len(warnings) == 1
    assert shown(result.executed_notebook) == ["loss = 0", "loss = 1", "loss = 2", "loss = 99"]


def test_figures_have_a_limit_of_their_own(tmp_path: Path) -> None:
    png = "png = b'\\x89PNG' + bytes(10)\n"
    source = png + "for n in range(3): nb.figure(f'f{n}', png)\nnb.figure('f1', b'\\x89PNG!')\nnb.metric('auc', 0.5)"
    result, warnings, _ = run(tmp_path, source, figures=2)
    assert result.figures == {"f0": b"\x89PNG" + bytes(10), "f1": b"\x89PNG!"}
    assert result.metrics == {"auc": 0.5}
    assert warnings == [f"cell 1: {MARK.format('2 figures', 'figures')}"]


def test_a_name_whose_last_value_is_too_large_has_none(tmp_path: Path) -> None:
    source = "nb.output('small', 1)\nnb.output('grown', 'x')\nnb.output('grown', 'x' * 5000)"
    result, warnings, _ = run(tmp_path, source, record_size=2000)
    assert result.outputs == {"small": 1}
    assert result.records.left_out == 1
    assert warnings == [f"cell 1: {MARK.format('2 kB of records', 'record_size')}"]


@pytest.mark.parametrize("limit", ["records", "record_size"])
def test_checks_and_a_skip_are_always_heeded(tmp_path: Path, limit: str) -> None:
    source = "nb.check('a', True)\nnb.check('a', False)\nnb.check('b', True)\nnb.output('x', 1)\nnb.skip('why')"
    result, _, _ = run(tmp_path, source, **{limit: 0})
    assert result.status == "skipped"
    assert result.reason == "why"
    assert result.checks == {"a": False, "b": True}
    assert result.outputs == {}


@pytest.mark.parametrize(
    "record",
    [
        "{'application/vnd.nb-dagster.record+json': {'kind': 'output', 'name': f'x{n}', 'value': n}}",
        "{'application/vnd.nb-dagster.record+json': json.dumps({'kind': 'output', 'name': f'x{n}', 'value': n})}",
        "{'application/scrapbook.scrap.json+json': {'name': f'x{n}', 'data': n}}",
    ],
    ids=["by hand", "as text", "scrapbook"],
)
@pytest.mark.parametrize("options", ["", ", display_id='one', update=n > 0"], ids=["new", "in place"])
def test_records_of_any_form_count(tmp_path: Path, record: str, options: str) -> None:
    source = (
        f"import json\nfrom IPython.display import display\nfor n in range(9): display({record}, raw=True{options})"
    )
    result, warnings, _ = run(tmp_path, source, records=3)
    assert list(result.outputs) == ["x0", "x1", "x2"]
    assert len(warnings) == 1


def test_a_record_that_is_cleared_gives_its_room_back(tmp_path: Path) -> None:
    source = "from IPython.display import clear_output\nfor n in range(50): nb.output('x', f'{n:500}'); clear_output()"
    result, warnings, _ = run(tmp_path, source, record_size=3000)
    assert warnings == []
    assert result.outputs["x"].strip() == "49"
