"""``nb-dagster warm``: what it starts, who uses it, what it says, and how it exits."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nb_dagster.kernel import warm
from tests.cli.command import PROGRAM, as_json, environment, nb_dagster
from tests.notebooks import write_notebook

pytestmark = pytest.mark.slow

PARENT = "import os\nnb.output('parent', os.getppid())"
WAIT = "import time\nwhile not os.path.exists('go'):\n    time.sleep(0.05)"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the user's servers are; those that a test leaves are killed."""
    with tempfile.TemporaryDirectory(prefix="nbw-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder) / f"nb-dagster-{os.getuid()}"
        for each in warm.all_servers():
            os.kill(each.server.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a Dagster instance."""
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a notebook."""
    write_notebook(tmp_path / "a.ipynb", PARENT)
    return tmp_path


def _warm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return nb_dagster("warm", *arguments, cwd=folder)


def _is_warm(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """What ``--json`` says."""
    done = _warm(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _parent(folder: Path, history: Path) -> int:
    """The process that the notebook's kernel was started by."""
    done = nb_dagster("run", "a.ipynb", "--json", cwd=folder, home=history)
    assert done.returncode == 0, done.stderr
    parent: int = as_json(done)["outputs"]["parent"]
    return parent


class TestServers:
    def test_another_process_gets_its_kernel_from_it(self, folder: Path, history: Path) -> None:
        (server,) = _is_warm(folder, "a.ipynb")
        assert _parent(folder, history) == server["pid"]

    def test_it_tells_what_is_warm(self, folder: Path) -> None:
        assert _warm(folder).stdout == "nothing is warm\n"
        assert _is_warm(folder) == []
        first = _warm(folder, "a.ipynb", "--preload", "json,csv")
        (server,) = _is_warm(folder)
        assert server["preload"] == ["csv", "json"]
        assert Path(server["python"]).samefile(sys.executable)
        assert first.stdout == f"warm: {server['python']} with csv, json (pid {server['pid']})\n"
        assert (first.returncode, first.stderr) == (0, "")
        assert _warm(folder).stdout == first.stdout

    def test_there_is_one_for_each_kind_of_notebook(self, folder: Path) -> None:
        write_notebook(folder / "b.ipynb", "import numpy as np")
        write_notebook(folder / "c.ipynb", "from numpy import array")
        found = _is_warm(folder, "a.ipynb", "b.ipynb", "c.ipynb")
        assert sorted(each["preload"] for each in found) == [[], ["numpy"]]
        again = _is_warm(folder, "a.ipynb", "c.ipynb")
        assert sorted(each["pid"] for each in again) == sorted(each["pid"] for each in found)

    def test_an_upgrade_is_seen_and_warm_again_replaces_it(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", str(folder))
        (folder / "upgraded.py").write_text("")
        (old,) = _is_warm(folder, "--preload", "upgraded")
        (same,) = _is_warm(folder, "--preload", "upgraded")
        os.utime(folder / "upgraded.py", (1, 1))
        (new,) = _is_warm(folder, "--preload", "upgraded")
        assert old["pid"] == same["pid"] != new["pid"]

    def test_one_that_was_killed_is_no_obstacle_and_is_replaced(self, folder: Path, history: Path) -> None:
        (killed,) = _is_warm(folder, "a.ipynb")
        os.kill(killed["pid"], signal.SIGKILL)
        assert _parent(folder, history) != killed["pid"]
        assert _is_warm(folder) == []
        (new,) = _is_warm(folder, "a.ipynb")
        assert new["pid"] != killed["pid"]


class TestStop:
    def test_it_waits_for_running_kernels(self, folder: Path, history: Path) -> None:
        write_notebook(folder / "a.ipynb", f"{PARENT}\nprint('pid', os.getpid(), flush=True)", WAIT)
        (server,) = _is_warm(folder, "a.ipynb")
        command = [PROGRAM, "run", "a.ipynb", "--json"]
        run = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(history),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stderr is not None
        while not (line := run.stderr.readline()).startswith("pid "):
            assert line, "it ended before its first cell"
        kernel = psutil.Process(int(line.split()[1]))
        done = _warm(folder, "--stop")
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 told to end\n", "")
        assert _is_warm(folder) == []
        assert kernel.is_running()
        assert kernel.ppid() == server["pid"]
        (folder / "go").touch()
        stdout, stderr = run.communicate(timeout=30)
        assert run.returncode == 0, stderr
        assert json.loads(stdout)["outputs"]["parent"] == server["pid"]

    def test_stop_without_any_says_so(self, folder: Path) -> None:
        done = _warm(folder, "--stop")
        assert (done.returncode, done.stdout) == (0, "nothing was warm\n")

    def test_stop_and_start_are_one_command(self, folder: Path) -> None:
        (old,) = _is_warm(folder, "a.ipynb")
        (new,) = _is_warm(folder, "a.ipynb", "--stop")
        assert new["pid"] != old["pid"]


class TestRefusals:
    """What is wrong is one sentence on standard error."""

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["missing.ipynb"], 2, "missing.ipynb does not exist"),
            (["a.ipynb", "--kernel", "fortran"], 2, "a.ipynb: there is no kernel 'fortran' on this machine"),
            (["--preload", "numpy,2x"], 2, "--preload: preload: '2x' is no module's name"),
            (["a.ipynb", "--preload", "no_such_module"], 5, "no_such_module is not preloaded: ModuleNotFoundError"),
            (["--preload", "antigravity_of_tests"], 5, "antigravity_of_tests is not preloaded: ValueError: no licence"),
        ],
    )
    def test_it_says_what_is_wrong(
        self, folder: Path, arguments: list[str], code: int, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(folder))
        (folder / "antigravity_of_tests.py").write_text("raise ValueError('no licence')")
        done = _warm(folder, *arguments)
        assert_one_sentence(done, code, words)

    @pytest.mark.skipif(not importlib.util.find_spec("bash_kernel"), reason="bash_kernel is not installed")
    def test_a_kernel_that_is_no_ipykernel_is_refused(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        subprocess.run([sys.executable, "-m", "bash_kernel.install", "--prefix", str(folder)], check=True, timeout=60)
        monkeypatch.setenv("JUPYTER_PATH", str(folder / "share/jupyter"))
        done = _warm(folder, "a.ipynb", "--kernel", "bash")
        assert_one_sentence(done, 2, "a.ipynb: the kernel 'bash' is no ipykernel, and only those can be forked")

    def test_a_folder_that_others_may_write_to_is_refused(self, folder: Path, home: Path) -> None:
        home.mkdir()
        home.chmod(0o777)
        done = _warm(folder, "a.ipynb")
        assert_one_sentence(done, 5, f"{home} must be a folder of this user alone (mode 700)")

    @pytest.mark.parametrize("arguments", [["--idle", "0"], ["--nonsense"]])
    def test_a_wrong_option_shows_the_usage(self, folder: Path, arguments: list[str]) -> None:
        done = _warm(folder, *arguments)
        assert done.returncode == 2
        assert "Usage: nb-dagster warm" in done.stderr

    def test_one_that_is_idle_ends(self, folder: Path) -> None:
        (server,) = _is_warm(folder, "a.ipynb", "--idle", "0.005")
        deadline = time.monotonic() + 20
        while psutil.pid_exists(server["pid"]) and psutil.Process(server["pid"]).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith(f"nb-dagster: {words}")
    assert done.stderr.count("\n") == 1
