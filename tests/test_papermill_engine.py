"""``papermill --engine nb_dagster``: papermill's interface and its record, on our kernels, and with the truth in it."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from nb_dagster.errors import RunRefused
from nb_dagster.runner.result import NotebookFailed
from tests.cli.command import environment
from tests.notebooks import cell_statuses, printed, read, run_metadata, write_notebook

PAPERMILL = str(Path(sys.executable).with_name("papermill"))
Execute = Callable[..., Any]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:papermill")]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Write a notebook, and have papermill execute it on an engine, ours by default."""
    monkeypatch.chdir(tmp_path)

    def execute(
        *cells: str, engine: str | None = "nb_dagster", output: str | None = "out.ipynb", **options: Any
    ) -> Any:
        declared = options.pop("declared", None)
        write_notebook(tmp_path / "in.ipynb", *cells, parameters=declared)
        return papermill.execute_notebook("in.ipynb", output, engine_name=engine, progress_bar=False, **options)

    return execute


def states(notebook: Path | str, key: str = "status") -> list[Any]:
    """What papermill says of each code cell."""
    return [cell["metadata"]["papermill"][key] for cell in code_cells(notebook)]


def code_cells(notebook: Path | str) -> list[dict[str, Any]]:
    return [cell for cell in read(notebook)["cells"] if cell["cell_type"] == "code"]


class TestParameters:
    def test_they_arrive_by_the_command_line(self, tmp_path: Path) -> None:
        write_notebook(tmp_path / "in.ipynb", "print(n + 1, name)", parameters="n = 1\nname = ''")
        command = [PAPERMILL, "in.ipynb", "out.ipynb", "--engine", "nb_dagster", "-p", "n", "5", "-p", "name", "Köln"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert printed(tmp_path / "out.ipynb") == "6 Köln\n"
        assert run_metadata(tmp_path / "out.ipynb")["parameters"] == {"n": 5, "name": "Köln"}
        assert "3/3" in done.stderr, "the progress bar's last state"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.ipynb", "out.ipynb"]

    def test_they_and_their_tags_are_papermills(self, execute: Execute) -> None:
        execute("print(n + 1)", declared="n = 1", parameters={"n": 5})
        assert printed("out.ipynb") == "6\n"
        assert [cell["metadata"]["tags"] for cell in code_cells("out.ipynb")] == [
            ["parameters"],
            ["injected-parameters"],
            [],
        ]
        assert read("out.ipynb")["metadata"]["papermill"]["parameters"] == {"n": 5}

    def test_an_executed_notebook_may_be_executed_again(self, execute: Execute, tmp_path: Path) -> None:
        with pytest.raises(PapermillExecutionError):
            execute("assert n > 1", "print(n)", declared="n = 1")
        first = run_metadata("out.ipynb")
        papermill.execute_notebook("out.ipynb", "b.ipynb", {"n": 7}, engine_name="nb_dagster", progress_bar=False)
        assert printed("b.ipynb") == "7\n"
        assert cell_statuses("b.ipynb") == ["succeeded"] * 4
        assert states("b.ipynb") == ["completed"] * 4
        assert run_metadata("b.ipynb")["run_id"] != first["run_id"]


class TestSameAsPapermill:
    @pytest.mark.parametrize(
        "cells",
        [
            ("print('a')\nprint('b')", "import sys\nprint('c', file=sys.stderr)", "'result'", "1 + 1;"),
            (
                "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))\ndisplay({'a': 1})",
                "HTML('<i>y</i>')",
            ),
            ("handle = display('one', display_id='d')\nhandle.update('two')", "handle.update('three')"),
            ("print('before')", "import math\nmath.sqrt(-1)", "print('after')"),
            ("print('before')\nraise ValueError('no data')", "1"),
            ("def broken(:", "1"),
            ("import sys", "sys.exit(2)", "1"),
            ("", "# nothing", "%%bash\necho bash", "%who_ls"),
        ],
        ids=["streams", "displays", "updates", "error", "exception", "syntax", "exit", "magics"],
    )
    def test_outputs_states_and_exception(self, execute: Execute, cells: tuple[str, ...]) -> None:
        said = []
        for engine, output in ((None, "theirs.ipynb"), ("nb_dagster", "ours.ipynb")):
            try:
                execute(*cells, engine=engine, output=output, parameters={"n": 1}, declared="n = 0")
                said.append("")
            except PapermillExecutionError as error:
                said.append(
                    f"{error.cell_index} {error.exec_count} {error.ename} {error.evalue}\n{error.source}\n{error}"
                )
        for theirs, ours in zip(_comparable("theirs.ipynb"), _comparable("ours.ipynb"), strict=True):
            assert ours == theirs
        assert said[1] == said[0]


def _comparable(notebook: str) -> list[dict[str, Any]]:
    """What papermill says of a notebook, and its cells, without what differs from run to run, and what is ours only."""
    content = read(notebook)
    said = [content["metadata"]["papermill"], *(cell["metadata"].get("papermill", {}) for cell in content["cells"])]
    for each in said:
        for key in ("start_time", "end_time", "duration", "output_path"):
            each.pop(key, None)
    for cell in content["cells"]:
        cell.pop("id")
        for key in ("nb_dagster", "execution"):
            cell["metadata"].pop(key, None)
    return [said[0], *content["cells"]]


class TestRecord:
    """What papermill's metadata say, and ours."""

    def test_times_are_those_of_the_cells(self, execute: Execute) -> None:
        execute("import time\ntime.sleep(0.3)", "1")
        said = read("out.ipynb")["metadata"]["papermill"]
        durations = states("out.ipynb", "duration")
        assert durations[0] >= 0.3
        assert said["duration"] >= sum(durations)
        started, ended = states("out.ipynb", "start_time"), states("out.ipynb", "end_time")
        times = [said["start_time"], started[0], ended[0], started[1], ended[1], said["end_time"]]
        parsed = [datetime.fromisoformat(each) for each in times]
        assert [each.utcoffset() is not None for each in parsed] == [True] * 6
        assert [each.replace(microsecond=0) for each in parsed] == sorted(
            each.replace(microsecond=0) for each in parsed
        )

    def test_a_success(self, execute: Execute) -> None:
        executed = execute("print('a')", "1")
        assert states("out.ipynb") == ["completed", "completed"]
        assert states("out.ipynb", "exception") == [False, False]
        said = read("out.ipynb")["metadata"]["papermill"]
        assert (said["exception"], said["output_path"]) == (None, "out.ipynb")
        assert run_metadata("out.ipynb")["status"] == "succeeded"
        assert executed.cells[0].outputs[0].text == "a\n"

    def test_an_exception(self, execute: Execute) -> None:
        with pytest.raises(PapermillExecutionError, match="no data"):
            execute("1", "raise ValueError('no data')", "2")
        assert states("out.ipynb") == ["completed", "failed", "pending"]
        assert states("out.ipynb", "exception") == [False, True, None]
        assert cell_statuses("out.ipynb") == ["succeeded", "failed", "not_run"]
        assert read("out.ipynb")["metadata"]["papermill"]["exception"] is True
        assert run_metadata("out.ipynb")["reason"].endswith("ValueError: no data")

    def test_a_killed_kernel(self, execute: Execute) -> None:
        kill = "import os, signal, time\nprint('so far', flush=True)\ntime.sleep(0.3)\nos.kill(os.getpid(), signal.SIGKILL)"
        with pytest.raises(NotebookFailed, match="killed: the kernel was killed by SIGKILL"):
            execute("1", kill, "2")
        assert states("out.ipynb") == ["completed", "failed", "pending"]
        assert cell_statuses("out.ipynb") == ["succeeded", "killed", "not_run"]
        assert printed("out.ipynb") == "so far\n"
        assert run_metadata("out.ipynb")["status"] == "killed"
        assert read("out.ipynb")["metadata"]["papermill"]["exception"] is True

    def test_a_cell_over_its_time(self, execute: Execute) -> None:
        with pytest.raises(NotebookFailed, match="timed_out: the cell timeout of 1 s was over"):
            execute("1", "import time\ntime.sleep(60)", "2", execution_timeout=1)
        assert states("out.ipynb") == ["completed", "failed", "pending"]
        assert cell_statuses("out.ipynb") == ["succeeded", "timed_out", "not_run"]

    def test_an_early_end_by_the_author(self, execute: Execute) -> None:
        execute("nb.skip('nothing new')", "1")
        assert cell_statuses("out.ipynb") == ["skipped", "not_run"]
        assert states("out.ipynb") == ["completed", "pending"]
        said = run_metadata("out.ipynb")
        assert (said["status"], said["reason"]) == ("skipped", "nothing new")

    def test_a_run_that_never_started(self, execute: Execute) -> None:
        with pytest.raises(RunRefused, match="there is no kernel 'fortran'"):
            execute("1", kernel_name="fortran")
        assert states("out.ipynb") == ["pending"]

    def test_it_is_a_valid_notebook(self, execute: Execute) -> None:
        execute("print('a')", "1", declared="n = 1", parameters={"n": 2})
        nbformat.validate(read("out.ipynb"))


class TestInterface:
    def test_what_is_printed_goes_to_the_log(self, execute: Execute, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "papermill"):
            execute("import sys\nprint('out 100 %')\nprint('err', file=sys.stderr)", log_output=True)
        logged = [(record.levelname, record.getMessage().strip()) for record in caplog.records]
        assert ("INFO", "out 100 %") in logged
        assert ("WARNING", "err") in logged

    def test_what_is_printed_goes_to_files(self, execute: Execute) -> None:
        out, err = io.StringIO(), io.StringIO()
        execute("import sys\nprint('out')\nprint('err', file=sys.stderr)", stdout_file=out, stderr_file=err)
        assert (out.getvalue(), err.getvalue()) == ("out\n", "err\n")

    def test_without_an_output_nothing_is_written(self, execute: Execute, tmp_path: Path) -> None:
        executed = execute("print('a')", output=None)
        assert executed.cells[0].outputs[0].text == "a\n"
        assert [path.name for path in tmp_path.iterdir()] == ["in.ipynb"]

    def test_the_output_may_be_asked_for_at_the_end_only(self, execute: Execute) -> None:
        execute("print('a')", request_save_on_cell_execute=False)
        assert printed("out.ipynb") == "a\n"

    def test_another_working_folder_is_the_kernels_and_the_paths_stay(self, execute: Execute, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        execute("import os\nprint(os.getcwd())", cwd="elsewhere")
        assert printed("out.ipynb") == f"{tmp_path / 'elsewhere'}\n"
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_a_notebook_may_be_given_as_an_object(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        notebook = nbformat.from_dict(read(write_notebook(tmp_path / "in.ipynb", "print('a')")))  # type: ignore[no-untyped-call]
        papermill.execute_notebook(notebook, "out.ipynb", engine_name="nb_dagster", progress_bar=False)
        assert printed("out.ipynb") == "a\n"

    def test_artifacts_are_beside_the_output(self, execute: Execute, tmp_path: Path) -> None:
        execute("nb.artifact('note.txt', b'kept')")
        assert (tmp_path / "out.files/note.txt").read_bytes() == b"kept"

    def test_an_output_is_written_again(self, execute: Execute) -> None:
        execute("print('one')")
        execute("print('two')")
        assert printed("out.ipynb") == "two\n"

    @pytest.mark.slow
    def test_a_failure_exits_with_1(self, tmp_path: Path) -> None:
        write_notebook(tmp_path / "in.ipynb", "raise ValueError('no data')")
        command = [PAPERMILL, "in.ipynb", "out.ipynb", "--engine", "nb_dagster"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 1
        assert "ValueError: no data" in done.stderr


class TestNeighbour:
    @pytest.mark.slow
    def test_importing_us_leaves_papermill_alone(self) -> None:
        script = (
            "import nb_dagster, sys\nfrom nb_dagster import run_notebook\nassert 'papermill' not in sys.modules\n"
            "from papermill.engines import NBClientEngine, papermill_engines\n"
            "assert papermill_engines.get_engine() is papermill_engines.get_engine('nbclient') is NBClientEngine\n"
            "assert papermill_engines.get_engine('nb_dagster').__module__ == 'nb_dagster.papermill_engine'\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    def test_papermills_own_engine_works_after_ours(self, execute: Execute) -> None:
        execute("print('a')")
        execute("print('b')", engine=None)
        assert printed("out.ipynb") == "b\n"

    def test_its_kernels_are_ours(self, execute: Execute) -> None:
        execute("import os\nprint('NB_DAGSTER_KERNEL' in os.environ)")
        assert printed("out.ipynb") == "True\n"
