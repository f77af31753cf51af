"""A run may end before its kernel is there, and leaves nothing then either."""

import time
from pathlib import Path

import psutil
import pytest

from nb_dagster.kernel.fork_servers import SWITCH
from nb_dagster.runner.background import BackgroundRun, settle
from nb_dagster.runner.run import Limits, NotebookRun
from tests.notebooks import cell_statuses, write_notebook


@pytest.mark.parametrize("after", [0, 0.02, 0.1, 0.25])
def test_a_cancel_does_not_wait_for_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float) -> None:
    monkeypatch.setenv(SWITCH, "off")
    before = psutil.Process().children(recursive=True)
    path = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(600)")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    time.sleep(after)
    run.cancel()
    result = run.result()
    assert result.status == "cancelled"
    assert (result.reason or "").startswith("cancelled")
    assert set(cell_statuses(tmp_path / "out.ipynb")) <= {"not_run", "cancelled"}
    settle()
    left = [each for each in psutil.Process().children(recursive=True) if each not in before]
    assert [each for each in left if "ipykernel" in " ".join(each.cmdline())] == []


def test_the_runs_timeout_counts_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    path = write_notebook(tmp_path / "a.ipynb", "1")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb", limits=Limits(timeout=0.05)))
    result = run.result()
    assert (result.status, result.reason) == (
        "timed_out",
        "the run timeout of 0.05 s was over, while the kernel was starting",
    )
