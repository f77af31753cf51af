"""A failure says what a person needs: which cell, which line, which error, with which parameters, and where to look."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import psutil
import pytest

import nb_dagster as nbd
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook

FAIL = """\
# a comment first
rows = [1, 2]
print("so far")
raise ValueError("\\x1b[31mno such\\x1b[0m [column]")
"""


class TestException:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("exception")
        notebook = write_notebook(
            folder / "broken.ipynb", "print('before')", FAIL, "print('never')", parameters="n = 1", text="# A report"
        )
        return materialize(folder / "store", nbd.notebook_asset(notebook), config={"broken": {"n": 2}})

    def test_its_words_are_cell_line_first_line_and_error(self, run: DagsterRun) -> None:
        assert run.failure("broken__notebook").description == (
            "failed: cell 4 (rows = [1, 2]), line 4: ValueError: no such [column]"
        )

    def test_its_metadata_has_cell_parameters_attempt_and_place(self, run: DagsterRun) -> None:
        shown = {name: value.value for name, value in run.failure("broken__notebook").metadata.items()}
        assert shown["cell"] == "4: rows = [1, 2]"
        assert shown["parameters"] == {"n": 2}
        assert shown["attempt"] == 1
        assert shown["executed_notebook"] == str(run.executed("broken")[0])

    def test_its_traceback_is_clean(self, run: DagsterRun) -> None:
        shown = run.failure("broken__notebook").metadata["traceback"]
        assert isinstance(shown, dg.MarkdownMetadataValue)
        text = str(shown.value)
        assert "\x1b" not in text
        assert "----> 4 raise ValueError" in text
        assert text.rstrip("`\n").endswith("ValueError: no such [column]")
        assert "nb_dagster" not in text

    def test_its_cause_is_the_notebooks_error_with_its_traceback(self, run: DagsterRun) -> None:
        data = run.result.failure_data_for_node("broken__notebook")
        assert data is not None
        assert data.error is not None
        assert data.error.cause is not None
        assert data.error.cause.cls_name == "NotebookFailed"
        assert "----> 4 raise ValueError" in data.error.cause.message

    def test_the_executed_notebook_is_kept_with_true_states(self, run: DagsterRun) -> None:
        (executed,) = run.executed("broken")
        assert cell_statuses(executed) == ["succeeded", "succeeded", "succeeded", "failed", "not_run"]
        assert run_metadata(executed)["status"] == "failed"
        assert run_metadata(executed)["reason"] == ("cell 4 (rows = [1, 2]), line 4: ValueError: no such [column]")
        assert printed(executed) == "before\nso far\n"

    def test_the_log_follows_the_cells(self, run: DagsterRun) -> None:
        log = run.log("broken__notebook")
        assert log[0] == "notebook broken started: 5 cells on kernel python3"
        assert "succeeded in" in log[1], "the cells before it, together where they were quick"
        assert [line for line in log if line.startswith("cell 4/5 failed in ")]
        assert not [line for line in log if "cell 5/5" in line]


def test_a_very_long_traceback_is_shortened_in_the_metadata_only(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(write_notebook(tmp_path / "long.ipynb", "raise ValueError('x' * 50_000)"))
    run = materialize(tmp_path / "store", asset)
    failure = run.failure("long__notebook")
    assert len(str(failure.metadata["traceback"].value)) < 5_000
    assert "x" * 50_000 in run.executed("long")[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("limit", "seconds", "words"),
    [
        ("timeout", 4, "the run timeout of 4 s was over"),
        ("cell_timeout", 2, "the cell timeout of 2 s was over"),
        ("stall_timeout", 2, "the stall timeout of 2 s was over without any output"),
    ],
)
def test_a_limit_that_is_over_is_a_failure_that_says_so(tmp_path: Path, limit: str, seconds: float, words: str) -> None:
    notebook = write_notebook(tmp_path / "slow.ipynb", "print('before')", "import time\ntime.sleep(600)", "1")
    asset = nbd.notebook_asset(notebook, **{limit: seconds})  # type: ignore[arg-type]
    run = materialize(tmp_path / "store", asset)
    assert run.failure("slow__notebook").description == f"timed_out: {words}, in cell 2 (import time)"
    (executed,) = run.executed("slow")
    assert cell_statuses(executed) == ["succeeded", "timed_out", "not_run"]
    assert run_metadata(executed)["status"] == "timed_out"


def test_a_stall_is_no_stall_while_there_is_output(tmp_path: Path) -> None:
    loop = "import time\nfor n in range(8):\n    print(n, flush=True)\n    time.sleep(0.3)"
    asset = nbd.notebook_asset(write_notebook(tmp_path / "busy.ipynb", loop), stall_timeout=1.5)
    assert materialize(tmp_path / "store", asset).result.success


class TestKernelKilled:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> DagsterRun:
        folder = tmp_path_factory.mktemp("killed")
        cells = ("import os, signal\nprint('pid', os.getpid())", "os.kill(os.getpid(), signal.SIGKILL)", "1")
        return materialize(folder / "store", nbd.notebook_asset(write_notebook(folder / "dead.ipynb", *cells)))

    def test_the_failure_names_the_signal_and_the_cell(self, run: DagsterRun) -> None:
        words = run.failure("dead__notebook").description or ""
        assert words.startswith("killed: the kernel was killed by SIGKILL (as the out-of-memory killer does)")
        assert words.endswith(", in cell 2 (os.kill(os.getpid(), signal.SIGKILL))")

    def test_what_ran_until_then_is_kept(self, run: DagsterRun) -> None:
        (executed,) = run.executed("dead")
        assert cell_statuses(executed) == ["succeeded", "killed", "not_run"]
        assert printed(executed).startswith("pid ")

    def test_nothing_of_it_is_left(self, run: DagsterRun) -> None:
        assert not psutil.pid_exists(int(printed(run.executed("dead")[0]).split()[1]))


def test_a_notebook_that_is_deleted_after_loading_still_runs_as_it_was_loaded(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "gone.ipynb", "nb.output('n', 1)")
    asset = nbd.notebook_asset(notebook)
    notebook.unlink()
    run = materialize(tmp_path / "store", asset)
    assert run.result.asset_value("gone") == {"n": 1}


def test_an_unknown_kernel_is_a_failure_without_a_retry(tmp_path: Path) -> None:
    asset = nbd.notebook_asset(
        write_notebook(tmp_path / "a.ipynb", "1"), kernel="fortran", retry_policy=dg.RetryPolicy(max_retries=2)
    )
    run = materialize(tmp_path / "store", asset)
    assert "there is no kernel 'fortran' on this machine" in (run.failure("a__notebook").description or "")
    assert run.result.retry_attempts_for_node("a__notebook") == 0
    assert run.executed("a") == []


def test_a_limit_that_is_no_time_is_refused_when_it_loads(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cell_timeout is a number of seconds above 0, not 0"):
        nbd.notebook_asset(write_notebook(tmp_path / "a.ipynb", "1"), cell_timeout=0)


def test_a_notebook_that_is_none_is_refused_when_it_loads(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text("not json", encoding="utf-8")
    with pytest.raises(nbd.RunRefused, match=r"a\.ipynb is no notebook: not JSON"):
        nbd.notebook_asset(path)
    with pytest.raises(nbd.RunRefused, match=r"b\.ipynb does not exist"):
        nbd.notebook_asset(tmp_path / "b.ipynb")


def test_the_working_directory_and_environment_are_those_of_the_definition(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    asset = nbd.notebook_asset(
        write_notebook(tmp_path / "a.ipynb", "import os\nprint(os.getcwd(), os.environ['COLOUR'])"),
        cwd=tmp_path / "work",
        environment={"COLOUR": "blue"},
    )
    run = materialize(tmp_path / "store", asset)
    assert printed(run.executed("a")[0]) == f"{tmp_path / 'work'} blue\n"
    assert "COLOUR" not in os.environ
