"""``nb-dagster run WORKFLOW``: a workflow of this folder's workspace, with what its definition says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dagster as dg
import pytest

from tests.cli.command import as_json, nb_dagster
from tests.notebooks import run_metadata, write_notebook

pytestmark = pytest.mark.slow

DEFINITIONS = """\
from pathlib import Path
import dagster as dg
import nb_dagster as nbd

class Full(dg.IOManager):
    def handle_output(self, context, obj):
        raise OSError("no space left")

    def load_input(self, context):
        raise OSError("no space left")

HERE = Path(__file__).parent
numbers = nbd.notebook_asset(HERE / "numbers.ipynb", outs=["n"], params={"n": 7})
total = nbd.notebook_asset(HERE / "total.ipynb", ins={"n": numbers}, outs=["total"])
silent = nbd.notebook_asset(HERE / "silent.ipynb", outs=["rows"])
blocked = nbd.notebook_asset(
    HERE / "checked.ipynb", name="blocked", checks=[dg.AssetCheckSpec("good", asset="blocked", blocking=True)]
)
unstored = nbd.notebook_asset(HERE / "silent.ipynb", name="unstored", io_manager_key="full")
slow = nbd.notebook_asset(HERE / "slow.ipynb", timeout=100, retry_policy=dg.RetryPolicy(max_retries=1))
defs = dg.Definitions(
    assets=[numbers, total, silent, blocked, unstored, slow],
    jobs=[nbd.notebook_job("nightly", [HERE / "numbers.ipynb"])],
    resources={**nbd.resources("memory://kept/notebooks"), "full": Full()},
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workflows")
    write_notebook(
        folder / "numbers.ipynb", "nb.output('n', n)\nnb.artifact('n.txt', str(n).encode())", parameters="n: int"
    )
    write_notebook(
        folder / "total.ipynb", "nb.output('total', n + nb.upstream['numbers'].outputs['n'])", parameters="n: int"
    )
    write_notebook(folder / "silent.ipynb", "1")
    write_notebook(folder / "checked.ipynb", "nb.check('good', False)")
    write_notebook(folder / "slow.ipynb", "import time\ntime.sleep(600)")
    (folder / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
    (folder / "workspace.yaml").write_text("load_from:\n  - python_file: definitions.py\n", encoding="utf-8")
    return folder


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nb_dagster("run", *arguments, "--json", cwd=folder)


def test_it_takes_the_definitions_values_and_its_notebook_is_copied_from_a_remote_store(folder: Path) -> None:
    done = _run(folder, "numbers", "--output", "copy.ipynb")
    result = as_json(done)
    assert done.returncode == 0
    assert (result["status"], result["outputs"]) == ("succeeded", {"n": 7})
    assert result["executed_notebook"] == str(folder / "copy.ipynb")
    assert run_metadata(folder / "copy.ipynb")["status"] == "succeeded"
    assert result["artifacts"]["n.txt"].startswith("memory://kept/notebooks/numbers/")


def test_it_takes_what_is_upstream_as_it_was_run_last(folder: Path) -> None:
    assert as_json(_run(folder, "numbers", "-p", "n=8"))["outputs"] == {"n": 8}
    assert as_json(_run(folder, "total"))["outputs"] == {"total": 16}


@pytest.mark.parametrize(
    ("workflow", "words"),
    [("silent", 'never called nb.output("rows", ...)'), ("blocked", "1 blocking asset check failed")],
)
def test_a_step_that_fails_after_its_notebook_is_no_success(folder: Path, workflow: str, words: str) -> None:
    done = _run(folder, workflow)
    result = as_json(done)
    assert done.returncode == 1
    assert result["status"] == "failed"
    assert words in result["reason"]
    with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as history:
        run = history.get_run_by_id(result["run_id"])
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE


def test_a_value_that_cannot_be_stored_exits_with_5(folder: Path) -> None:
    done = _run(folder, "unstored")
    assert done.returncode == 5
    assert done.stdout == ""
    assert 'Error occurred while handling output "result"' in done.stderr


def test_the_last_of_its_attempts_decides_and_the_command_lines_limit_goes_first(folder: Path) -> None:
    done = _run(folder, "slow", "--cell-timeout", "1.5")
    assert done.returncode == 3
    assert "the cell timeout of 1.5 s was over" in as_json(done)["reason"]


def test_a_job_of_one_notebook_is_a_workflow_too(folder: Path) -> None:
    result = as_json(_run(folder, "nightly", "-p", "n=3"))
    assert result["outputs"] == {"n": 3}
    with dg.DagsterInstance.from_config(str(folder / ".nb_dagster")) as history:
        run = history.get_run_by_id(result["run_id"])
        assert run is not None
        assert run.job_name == "nightly"


def test_a_parameter_of_a_workflow_is_refused_as_that_of_a_file(folder: Path) -> None:
    done = _run(folder, "numbers", "-p", "n=seven")
    assert done.returncode == 2
    assert "parameter 'n' must be int" in done.stderr


def test_an_unknown_workflow_is_refused_and_the_known_ones_are_named(folder: Path) -> None:
    done = _run(folder, "nubmers")
    assert done.returncode == 2
    assert "it has numbers, total, silent, blocked, unstored, slow, nightly" in done.stderr


def test_a_workspace_that_does_not_load_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "definitions.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_file: definitions.py\n", encoding="utf-8")
    done = _run(tmp_path, "anything")
    assert done.returncode == 2
    assert "cannot be loaded (ZeroDivisionError: division by zero)" in done.stderr
    assert done.stderr.count("\n") == 1
