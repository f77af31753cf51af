"""What an asset shows in Dagster of what its notebook hands out is limited, and says so."""

from pathlib import Path

import nb_dagster as nbd
from tests.definitions.dagster_runs import materialize
from tests.notebooks import write_notebook


def test_an_asset_says_how_many_thumbnails_it_shows(tmp_path: Path) -> None:
    figures = "import matplotlib.pyplot as plt\nfor n in range(3): nb.figure(f'f{n}', plt.figure(figsize=(1, 1)))"
    path = write_notebook(tmp_path / "a.ipynb", figures)
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, output_limits=nbd.OutputLimits(thumbnails=1)))
    assert [name for name, value in run.values("a").items() if "data:image" in str(value)] == ["f0"]
    assert run.values("a")["figures"] == "2 more in the executed notebook"


def test_an_asset_says_that_records_were_left_out(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "for n in range(5): nb.output(f'x{n}', n)")
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, output_limits=nbd.OutputLimits(records=2)))
    assert run.values("a")["records_left_out"] == "3, which were more than its output_limits allow"
    assert "x2" not in run.values("a")


def test_a_declared_output_that_was_left_out_fails_the_step_with_the_reason(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('x', 1)\nnb.output('rows', 'y' * 5000)")
    limits = nbd.OutputLimits(record_size=1000)
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, outs=["rows"], output_limits=limits))
    assert not run.result.success
    why = "which its definition declares in outs; of its records 1 were left out, over its output_limits"
    assert why in str(run.failure("a__notebook").description)


def test_a_declared_check_counts_whatever_was_left_out(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('x', 1)\nnb.check('well', True)\nnb.check('well', False)")
    limits = nbd.OutputLimits(records=1)
    run = materialize(tmp_path / "store", nbd.notebook_asset(path, checks=["well"], output_limits=limits))
    (evaluation,) = run.result.get_asset_check_evaluations()
    assert not evaluation.passed
