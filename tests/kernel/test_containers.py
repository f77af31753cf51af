"""Kernels in containers, without Dagster: what they see, and that many of them at once are no trouble."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import nb_dagster as nbd
from nb_dagster.runner.background import settle
from tests import containers
from tests.notebooks import printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

TWENTY = 20


@pytest.fixture
def engine() -> Any:
    return containers.engine()


def run(path: Path, *, name: str = "out", **compute: Any) -> nbd.NotebookResult:
    said = nbd.Compute(**containers.compute("docker-kernel", **compute))
    return nbd.run_notebook(path, output=path.with_name(f"{name}.ipynb"), compute=said)


@pytest.mark.usefixtures("engine")
def test_it_sees_the_working_directory_its_volumes_and_variables_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/data.txt").write_text("from the working directory")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/model.txt").write_text("from a volume")
    (tmp_path / "private.txt").write_text("nobody's business")
    notebook = write_notebook(
        tmp_path / "work/sees.ipynb",
        "import os\nprint(open('data.txt').read())",
        "print(open('/shared/model.txt').read())",
        "print(os.environ['GIVEN'], 'HOST_ONLY' in os.environ)",
        f"print(os.path.exists({str(tmp_path / 'private.txt')!r}))",
        "try: open('/shared/new.txt', 'w')\nexcept OSError as error: print(error.strerror)",
    )
    os.environ["HOST_ONLY"] = "secret"
    try:
        result = run(notebook, volumes=[f"{tmp_path / 'shared'}:/shared:ro"], env={"GIVEN": "given"}, network="none")
    finally:
        del os.environ["HOST_ONLY"]
    assert result.ok, result.reason
    assert printed(result.executed_notebook).splitlines() == [
        "from the working directory",
        "from a volume",
        "given False",
        "False",
        "Read-only file system",
    ]


@pytest.mark.usefixtures("engine")
def test_it_gets_the_memory_and_cpus_it_was_promised(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "limits.ipynb",
        "from pathlib import Path\n"
        "def first(*paths): return next(Path(each).read_text().split()[0] for each in paths if Path(each).exists())\n"
        "cgroups = '/sys/fs/cgroup'\n"
        "nb.output('memory', int(first(f'{cgroups}/memory.max', f'{cgroups}/memory/memory.limit_in_bytes')))\n"
        "nb.output('cpu', int(first(f'{cgroups}/cpu.max', f'{cgroups}/cpu/cpu.cfs_quota_us')))\n"
        "import os; s = os.statvfs('/dev/shm'); nb.output('shm', s.f_blocks * s.f_frsize)",
    )
    result = run(notebook, memory="256m", cpus=0.5, shm_size="8m")
    assert result.ok, result.reason
    assert result.outputs == {"memory": 256 << 20, "cpu": 50_000, "shm": 8 << 20}


@pytest.mark.usefixtures("engine")
def test_frames_and_files_cross_its_wall(tmp_path: Path) -> None:
    import pandas as pd

    notebook = write_notebook(
        tmp_path / "crosses.ipynb",
        "nb.output('doubled', rows * 2)\nnb.artifact('note.txt', b'hello')",
        parameters="rows = None",
    )
    said = nbd.Compute(**containers.compute("docker-kernel"))
    result = nbd.run_notebook(
        notebook, {"rows": pd.DataFrame({"a": [1, 2]})}, output=tmp_path / "out.ipynb", compute=said
    )
    assert result.ok, result.reason
    assert result.outputs["doubled"]["a"].tolist() == [2, 4]
    assert Path(result.artifacts["note.txt"]).read_bytes() == b"hello"
    assert Path(result.artifacts["note.txt"]).stat().st_uid == os.getuid()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("kernel", "env", "words"), containers.LACKING)
def test_what_an_image_lacks_is_said(tmp_path: Path, kernel: str | None, env: dict[str, str], words: str) -> None:
    notebook = write_notebook(tmp_path / "one.ipynb", "1")
    said = nbd.Compute(**containers.compute("docker-kernel", env=env))
    result = nbd.run_notebook(notebook, output=tmp_path / "out.ipynb", kernel=kernel, compute=said)
    assert result.status == "killed"
    assert words in str(result.reason)


def test_twenty_at_once_end_well_and_leave_no_container(tmp_path: Path, engine: Any) -> None:
    notebook = write_notebook(tmp_path / "one.ipynb", "import os\nnb.output('host', os.uname().nodename)")
    with ThreadPoolExecutor(TWENTY) as pool:
        results = list(pool.map(lambda number: run(notebook, name=f"out-{number}"), range(TWENTY)))
    assert [result.reason for result in results if not result.ok] == []
    assert len({result.outputs["host"] for result in results}) == TWENTY
    settle(60)
    wait_until(lambda: [each for each in results if containers.left(engine, f"nb_dagster.run_id={each.run_id}")] == [])


def test_a_process_that_ends_at_once_leaves_no_container(tmp_path: Path, engine: Any) -> None:
    notebook = write_notebook(tmp_path / "brief.ipynb", "import atexit, time\natexit.register(time.sleep, 0.5)")
    script = (
        "import sys, nb_dagster as nbd\nfrom tests import containers\n"
        "nbd.run_notebook(sys.argv[1], output=sys.argv[2], compute=nbd.Compute(**containers.compute('docker-kernel')))"
    )
    command = [sys.executable, "-c", script, str(notebook), str(tmp_path / "out.ipynb")]
    subprocess.run(command, cwd=containers.ROOT, check=True, timeout=120)
    assert run_metadata(tmp_path / "out.ipynb")["status"] == "succeeded"
    assert containers.left(engine, "nb_dagster.workflow=brief") == []


def test_what_a_killed_process_left_is_removed_when_the_next_container_is_made(tmp_path: Path, engine: Any) -> None:
    notebook = write_notebook(tmp_path / "endless.ipynb", "import time\ntime.sleep(600)")
    quick = write_notebook(tmp_path / "quick.ipynb", "1")
    script = (
        "import sys, nb_dagster as nbd\nfrom tests import containers\n"
        "nbd.run_notebook(sys.argv[1], output=sys.argv[2], compute=nbd.Compute(**containers.compute('docker-kernel')))"
    )
    label = "nb_dagster.workflow=endless"
    command = [sys.executable, "-c", script, str(notebook), str(tmp_path / "lost.ipynb")]
    with subprocess.Popen(command, cwd=containers.ROOT) as lost:
        wait_until(lambda: containers.left(engine, label) != [], 60)
        lost.kill()
    wait_until(lambda: engine.api.containers(filters={"label": label}) == [], 10)
    command = [sys.executable, "-c", script, str(quick), str(tmp_path / "next.ipynb")]
    subprocess.run(command, cwd=containers.ROOT, check=True, timeout=120)
    assert run_metadata(tmp_path / "next.ipynb")["status"] == "succeeded"
    assert containers.left(engine, label) == []
