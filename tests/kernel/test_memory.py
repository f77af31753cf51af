"""A kernel that is killed for its memory says so, and how much it had."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import nb_dagster as nbd
from nb_dagster.kernel.memory import Memory, in_words
from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import write_notebook

pytestmark = pytest.mark.slow

_EAT = "for _ in range(200):\n    eaten.append(b'x' * 10_000_000)\n    time.sleep(0.05)"
_V1 = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 300 MB; needs root, and memory control groups of version 1."""
    group = _V1 / f"nb-dagster-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(300 * 1024 * 1024))
    except OSError:
        pytest.skip("no control group can be made here")
    yield group
    deadline = time.monotonic() + 10
    while (group / "tasks").read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.05)
    group.rmdir()


def test_a_kernel_that_the_system_killed_for_its_memory_says_so_and_its_peak(small_group: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import time\neaten = []", _EAT)
    script = textwrap.dedent(
        f"""
        import os, pathlib
        from nb_dagster import run_notebook
        pathlib.Path({str(small_group / "tasks")!r}).write_text(str(os.getpid()))
        result = run_notebook({str(path)!r}, output={str(tmp_path / "out.ipynb")!r})
        print(result.status, "|", result.reason, "|", [cell.status for cell in result.cells])
        """
    )
    environment = {**os.environ, "NB_DAGSTER_FORK_SERVER": "off"}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    if ran.returncode == -9:
        pytest.skip("the system killed the runner instead of the kernel")
    status, reason, cells = ran.stdout.strip().split(" | ")
    assert status == "killed"
    assert reason.startswith("the kernel ran out of memory, and the system killed it; it had ")
    assert reason.endswith("MB at most, in cell 2 (for _ in range(200):)")
    assert cells == "['succeeded', 'killed']"


def test_another_kill_is_not_taken_for_that(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    result = nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    assert (result.reason or "").startswith("the kernel was killed by SIGKILL (as the out-of-memory killer does)")


def test_a_result_has_the_most_memory_its_kernel_had(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "x = b'x' * 200_000_000\ndel x")
    result = nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    assert result.peak_memory > 200_000_000


def test_a_kernels_children_count(tmp_path: Path) -> None:
    child = "x = b'x' * 150_000_000; import time; time.sleep(1.5)"
    path = write_notebook(
        tmp_path / "a.ipynb", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    )
    result = nbd.run_notebook(path, output=tmp_path / "out.ipynb")
    assert result.peak_memory > 200_000_000


def test_a_long_run_tells_of_its_memory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nb_dagster.runner.execution._FIRST_USAGE", 0.6)
    path = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(3)")
    run = BackgroundRun(NotebookRun(path, output=tmp_path / "out.ipynb"))
    told = [event for event in run.events() if isinstance(event, events.Usage)]
    assert 1 <= len(told) <= 3, "ever more rarely"
    assert all(event.peak_memory >= event.memory > 10_000_000 and event.elapsed_s > 0.5 for event in told)


def test_a_process_that_is_gone_keeps_what_was_seen_last() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    memory = Memory(process.pid)
    memory.look()
    process.kill()
    process.wait()
    seen = memory.now
    memory.look()
    assert memory.now == seen > 0


@pytest.mark.parametrize(("size", "words"), [(900, "1 kB"), (20_000_000, "20 MB"), (3_140_000_000, "3.1 GB")])
def test_sizes_are_told_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
