"""A warm server serves all processes of one user, is trusted by nobody else, and is never in the way."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from nb_dagster.kernel import warm
from nb_dagster.kernel.fork_client import ForkFailed, ForkServer, PreloadRefused
from tests.kernel.forking import Runs, fork_servers_of_its_own, wait_until_gone
from tests.waiting import wait_until

Start = Callable[..., ForkServer]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the user's servers are, and none is yet."""
    with tempfile.TemporaryDirectory(prefix="nbw-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder) / f"nb-dagster-{os.getuid()}"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start servers, which end with the test."""
    servers = []

    def start(*preload: str, idle: float = 60) -> ForkServer:
        server = warm.start(sys.executable, preload, idle)
        servers.append(server)
        return server

    yield start
    for process in filter(None, (server.process for server in servers)):
        process.kill()
    for server in servers:
        server.close()


def find(*preload: str) -> ForkServer | None:
    return warm.find(sys.executable, preload)


def found_pid(*preload: str) -> int:
    server = find(*preload)
    assert server is not None
    return server.pid


@contextlib.contextmanager
def kernel_of(server: ForkServer, folder: Path) -> Iterator[psutil.Process]:
    with open(os.devnull, "wb") as null:
        kernel = server.fork(["-f", str(folder / "kernel.json")], str(folder), os.environ, null.fileno())
    yield psutil.Process(kernel.pid)
    kernel.kill()
    kernel.wait(10)


class TestUse:
    def test_kernels_come_from_it(self, start: Start, runs: Runs) -> None:
        server = start("numpy")
        with fork_servers_of_its_own():
            runs.forked("1", server=server)

    def test_it_is_for_its_kind_only(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        pid = start("json", "csv").pid
        assert found_pid("csv", "json") == pid
        assert find("json") is None
        assert find("json", "csv", "numpy") is None
        assert warm.find("/usr/bin/python3-of-another", ["json", "csv"]) is None
        assert warm.find(sys.executable, ["json", "csv"], {**os.environ, "PYTHONPATH": "/elsewhere"}) is None
        monkeypatch.setenv("PYTHONHASHSEED", "1")
        assert find("json", "csv") is None

    def test_it_outlives_the_process_that_started_it(self, home: Path) -> None:
        script = "import sys\nfrom nb_dagster.kernel import warm\nwarm.start(sys.executable, [], 60)"
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
        pid = found_pid()
        assert warm.stop_all() == 1
        wait_until_gone(pid)

    def test_two_that_start_one_at_the_same_time_have_the_same(self, start: Start) -> None:
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(lambda _: start("json").pid, range(2))
        assert one == other

    def test_those_that_run_are_told(self, start: Start) -> None:
        assert list(warm.all_servers()) == []
        pid = start("json").pid
        (told,) = warm.all_servers()
        assert (told.preload, told.server.pid) == (("json",), pid)
        assert Path(told.python).samefile(sys.executable)


class TestEnd:
    def test_it_ends_when_it_is_idle_and_leaves_no_folder(self, start: Start, home: Path) -> None:
        server = start("json", idle=0.2)
        assert server.process is not None
        assert server.process.wait(10) == 0
        assert find("json") is None
        assert [each for each in home.iterdir() if each.is_dir()] == []

    def test_stop_lets_its_kernels_go_on(self, start: Start, tmp_path: Path) -> None:
        server = start("json")
        with kernel_of(server, tmp_path) as kernel:
            assert warm.stop_all() == 1
            assert find("json") is None
            time.sleep(0.3)
            assert server.is_alive
            assert kernel.is_running()
        wait_until(lambda: not server.is_alive)
        assert warm.stop_all() == 0

    def test_an_upgrade_makes_it_unused_until_it_is_started_again(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        module = tmp_path / "upgraded.py"
        module.write_text("version = 1\n")
        old = start("upgraded")
        assert found_pid("upgraded") == old.pid
        module.write_text("version = 22\n")
        os.utime(module, (1, 1))
        assert find("upgraded") is None
        new = start("upgraded")
        assert found_pid("upgraded") == new.pid
        wait_until(lambda: not old.is_alive)

    def test_the_end_of_one_that_was_replaced_is_no_harm_to_the_new_one(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        (tmp_path / "upgraded.py").write_text("version = 1\n")
        old = start("upgraded")
        with kernel_of(old, tmp_path):
            os.utime(tmp_path / "upgraded.py", (1, 1))
            new = start("upgraded")
        wait_until(lambda: not old.is_alive)
        assert found_pid("upgraded") == new.pid


class TestTrouble:
    """What is left of a server, or put in its place, is no obstacle to a run."""

    def test_one_that_was_killed_is_replaced_and_no_run_fails(self, start: Start, home: Path, runs: Runs) -> None:
        killed = start("numpy")
        assert killed.process is not None
        killed.process.kill()
        killed.process.wait()
        assert [each for each in home.iterdir() if each.is_dir()] != []
        with fork_servers_of_its_own():
            assert runs.run("1").outputs["parent"] == os.getpid()
        assert list(warm.all_servers()) == []
        started = start("numpy")
        assert found_pid("numpy") == started.pid != killed.pid

    def test_a_broken_description_is_no_server(self, start: Start, home: Path) -> None:
        server = start("json")
        wrong = '{"python": 1, "preload": 2, "pid": 3, "watched": 4}'
        for text in ("", "{", "{}", "[]", "null", wrong, '{"python": "", "preload": [], "pid": "x", "watched": {}}'):
            (server.folder / "server.json").write_text(text)
            assert find("json") is None
            assert list(warm.all_servers()) == []
        assert start("json").pid != server.pid

    def test_a_refused_preload_leaves_nothing(self, start: Start, home: Path) -> None:
        with pytest.raises(PreloadRefused, match="no_such_module is not preloaded: ModuleNotFoundError"):
            start("no_such_module")
        assert [each for each in home.iterdir() if each.is_dir()] == []

    def test_without_a_runtime_folder_the_one_for_temp_files_is_taken(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="nbw-") as folder:
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
            monkeypatch.setattr(tempfile, "tempdir", folder)
            assert start("json").folder.parent == Path(folder) / f"nb-dagster-{os.getuid()}"

    def test_a_runtime_folder_whose_path_is_too_long_for_sockets_is_not_taken(
        self, start: Start, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        long = tmp_path / ("long" * 25)
        long.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
        monkeypatch.setattr(tempfile, "tempdir", str(home.parent))
        assert start("json").folder.parent == home


class TestTrust:
    """Whoever can write where the servers are could run code as the user."""

    def test_a_folder_that_others_may_write_to_is_refused(self, start: Start, home: Path) -> None:
        home.mkdir()
        home.chmod(0o777)
        with pytest.raises(ForkFailed, match=r"must be a folder of this user alone \(mode 700\)"):
            start("json")

    def test_a_folder_that_is_somewhere_else_is_refused(self, start: Start, home: Path, tmp_path: Path) -> None:
        home.symlink_to(tmp_path, target_is_directory=True)
        with pytest.raises(ForkFailed, match="must be a folder of this user alone"):
            start("json")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
    def test_a_folder_of_somebody_else_is_refused(self, start: Start, home: Path) -> None:
        home.mkdir(0o700)
        os.chown(home, 12345, 12345)
        with pytest.raises(ForkFailed, match="must be a folder of this user alone"):
            start("json")

    def test_a_server_whose_folder_others_may_write_to_is_not_asked(self, start: Start) -> None:
        server = start("json")
        server.folder.chmod(0o770)
        assert find("json") is None
        assert list(warm.all_servers()) == []

    def test_a_copy_of_a_servers_description_is_not_asked(self, start: Start, tmp_path: Path) -> None:
        server = start("json")
        about = json.loads((server.folder / "server.json").read_text())
        shutil.rmtree(server.folder)
        server.folder.mkdir(0o755)
        (server.folder / "server.json").write_text(json.dumps(about))
        assert find("json") is None
