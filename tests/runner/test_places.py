"""Whatever happens to the place a run writes to, its notebook is kept, and the record says where."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import cell_statuses, printed, run_metadata, write_notebook


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_loses_nothing_and_is_said(small_disk: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('x' * 400_000)", "print('to the end')")
    run = BackgroundRun(NotebookRun(path, output=small_disk / "out.ipynb"))
    warnings = [event.message for event in run.events() if isinstance(event, events.Warned)]
    result = run.result()
    assert len(warnings) == 1
    assert warnings[0].startswith("the run's journal cannot be written (No space left on device)")
    assert (result.status, result.is_infrastructure) == ("failed", True)
    assert (result.reason or "").startswith(
        f"the executed notebook cannot be written to {small_disk / 'out.ipynb'} (No space left on device); it is kept in "
    )
    assert (result.reason or "").endswith("(succeeded)")
    assert cell_statuses(result.executed_notebook) == ["succeeded", "succeeded"]
    assert printed(result.executed_notebook).endswith("to the end\n")
    assert list(small_disk.glob("*.ipynb")) == [], "never half a notebook"


def test_on_the_command_line_that_is_infrastructure(small_disk: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('x' * 400_000)")
    command = ["nb-dagster", "run", str(path)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["DAGSTER_HOME"] = ""
    ran = subprocess.run(command, cwd=small_disk, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 5, ran.stderr


def test_two_runs_at_one_output_are_told_apart(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(2)")
    first = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    while not (tmp_path / "out.ipynb.journal").exists():
        time.sleep(0.01)
    with pytest.raises(RunRefused, match="another run is writing it at this moment; name another output"):
        nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    assert first.result().ok
    assert run_metadata(tmp_path / "out.ipynb")["status"] == "succeeded"


def test_what_a_killed_run_left_at_an_output_is_recovered_before_another_is_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('until here', flush=True)\nimport time\ntime.sleep(600)")
    script = f"import nb_dagster; nb_dagster.run_notebook({str(path)!r}, output={str(tmp_path / 'out.ipynb')!r})"
    process = subprocess.Popen([sys.executable, "-c", script])
    journal = tmp_path / "out.ipynb.journal"
    while not journal.exists() or "until here" not in journal.read_text().split("\n", 1)[-1]:
        time.sleep(0.05)
    process.kill()
    process.wait()
    with pytest.raises(RunRefused, match="the notebook of a run that was killed, recovered just now"):
        nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    assert run_metadata(tmp_path / "out.ipynb")["status"] == "killed"
    assert printed(tmp_path / "out.ipynb") == "until here\n"
