"""A fork server starts with what may be forked, ends when nobody needs it, and is never the only way to a kernel."""

import contextlib
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from nb_dagster.direct import run_notebook
from nb_dagster.kernel import fork_client, fork_servers
from nb_dagster.kernel.folders import private_folder
from nb_dagster.kernel.fork_client import ForkFailed, ForkServer, PreloadRefused
from nb_dagster.kernel.fork_servers import ForkServers
from nb_dagster.kernel.forked import ForkedProcess
from nb_dagster.runner.background import settle
from tests.kernel.forking import Runs, fork_servers_of_its_own, ready, wait_until_gone
from tests.notebooks import write_notebook


@pytest.fixture
def own_servers() -> Iterator[ForkServers]:
    """The fork servers of this process, none at first."""
    with fork_servers_of_its_own() as servers:
        yield servers


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported by a server, and by kernels."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@contextlib.contextmanager
def server_with(*preload: str, idle: float = 60, python: str = sys.executable) -> Iterator[ForkServer]:
    with private_folder() as folder:
        server = ForkServer.start(folder, python, preload, idle)
        try:
            yield server
        finally:
            server.close()


@contextlib.contextmanager
def kernel_of(server: ForkServer, folder: Path) -> Iterator[ForkedProcess]:
    arguments = ["-f", str(folder / "kernel.json"), "--HistoryManager.hist_file=:memory:"]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        kernel = server.fork(arguments, str(folder), os.environ, null)
    finally:
        os.close(null)
    try:
        yield kernel
    finally:
        kernel.kill()
        kernel.wait(10)


def process_of(server: ForkServer) -> subprocess.Popen[bytes]:
    assert server.process is not None
    return server.process


def refused(*preload: str) -> str:
    with pytest.raises(PreloadRefused) as refusal, server_with(*preload):
        pass
    return str(refusal.value)


class TestItsStart:
    def test_it_has_no_secrets_in_its_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DB_PASSWORD", "hunter2")
        with server_with() as server:
            assert "hunter2" not in psutil.Process(server.pid).environ().values()

    def test_a_preload_that_starts_threads_is_refused_by_name(self, modules: Path) -> None:
        code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        (modules / "threaded.py").write_text(code)
        assert refused("json", "threaded").startswith("threaded is not preloaded: it starts threads (")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a device")
    def test_a_preload_that_touches_a_gpu_is_refused_by_name(self, modules: Path) -> None:
        device = Path("/dev/nvidia-test")
        with contextlib.suppress(PermissionError):
            os.mknod(device, stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        try:
            (modules / "gpu.py").write_text(f"context = open({str(device)!r}, 'w')\n")
            if not device.exists():
                pytest.skip("this root cannot make a device")
            assert refused("gpu") == "gpu is not preloaded: it opens a GPU"
        finally:
            device.unlink(missing_ok=True)

    @pytest.mark.parametrize(
        ("code", "why"),
        [
            ("raise ValueError('no licence')", "ValueError: no licence"),
            ("import sys\nsys.exit('run me as a script')", "SystemExit: run me as a script"),
            ("def broken(:", "SyntaxError: "),
        ],
        ids=["an exception", "an exit", "no Python"],
    )
    def test_a_preload_that_raises_is_refused_by_name_and_reason(self, modules: Path, code: str, why: str) -> None:
        (modules / "raising.py").write_text(code)
        assert refused("json", "raising").startswith(f"raising is not preloaded: {why}")

    def test_a_preload_that_is_not_installed_is_refused_by_name(self) -> None:
        words = "no_such_module is not preloaded: ModuleNotFoundError: No module named 'no_such_module'"
        assert refused("no_such_module") == words

    def test_what_a_preload_prints_is_no_harm(self, modules: Path) -> None:
        code = "import os, sys\nprint('hello')\nprint('hello', file=sys.stderr)\nos.system('echo hello')\n"
        (modules / "chatty.py").write_text(code)
        with server_with("chatty") as server:
            assert server.is_alive

    def test_an_interpreter_without_ipykernel_has_no_server(self) -> None:
        with pytest.raises(ForkFailed, match="the fork server did not start"), server_with(python="/bin/false"):
            pass

    def test_a_preload_that_ends_the_server_says_that_it_did_not_start(self, modules: Path) -> None:
        (modules / "deadly.py").write_text("import os, sys\nprint('licence expired', file=sys.stderr)\nos._exit(3)\n")
        with pytest.raises(ForkFailed, match=r"did not start .*licence expired"), server_with("deadly"):
            pass


class TestItsEnd:
    def test_it_ends_by_itself_when_it_is_idle(self) -> None:
        with server_with(idle=0.2) as server:
            assert process_of(server).wait(10) == 0
            assert not server.is_alive

    def test_it_does_not_end_while_a_kernel_lives(self, tmp_path: Path) -> None:
        with server_with(idle=0.2) as server:
            with kernel_of(server, tmp_path) as kernel:
                with pytest.raises(subprocess.TimeoutExpired):
                    process_of(server).wait(1)
                assert kernel.poll() is None
            assert process_of(server).wait(10) == 0

    def test_its_kernels_end_with_it(self, tmp_path: Path) -> None:
        with server_with() as server, kernel_of(server, tmp_path) as kernel:
            process_of(server).kill()
            assert kernel.wait(10) == -signal.SIGKILL
            wait_until_gone(kernel.pid)

    def test_it_and_its_kernels_end_with_the_process_that_started_it(self, tmp_path: Path) -> None:
        path = write_notebook(tmp_path / "a.ipynb", "print('running', flush=True)\nimport time\ntime.sleep(600)")
        script = (
            "import sys\nfrom nb_dagster.kernel.fork_servers import FORK_SERVERS\nfrom nb_dagster import run_notebook\n"
            f"FORK_SERVERS.expect(sys.executable, ())\nrun_notebook({str(path)!r})"
        )
        client = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
        deadline = time.monotonic() + 60
        journals = tmp_path / ".nb_dagster/notebooks/.running"
        while not any('"text": "running' in journal.read_text() for journal in journals.glob("*.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        family = [process.pid for process in psutil.Process(client.pid).children(recursive=True)]
        client.kill()
        client.wait()
        assert len(family) >= 2
        wait_until_gone(*family)


class TestTrouble:
    """A run needs no server."""

    def test_a_dead_server_is_replaced_and_no_run_fails(self, own_servers: ForkServers, runs: Runs) -> None:
        server = ready(own_servers, "numpy")
        runs.forked("1")
        process_of(server).kill()
        process_of(server).wait()
        assert runs.run("1").ok
        replaced = ready(own_servers, "numpy")
        assert replaced.pid != server.pid
        runs.forked("1", server=replaced)

    def test_a_server_that_dies_in_the_middle_fails_only_its_own_runs(
        self, own_servers: ForkServers, runs: Runs
    ) -> None:
        ready(own_servers, "numpy")
        kill = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
        died = runs.run(kill, status="killed", timeout=30)
        assert "SIGKILL" in (died.reason or "")
        assert runs.run("1").ok

    def test_a_server_that_hangs_costs_a_spawn_and_one_line(
        self, own_servers: ForkServers, runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = ready(own_servers, "numpy")
        monkeypatch.setattr(fork_client, "_REPLY_SECONDS", 0.3)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with caplog.at_level(logging.WARNING, "nb_dagster"):
                result = runs.run("1")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert result.outputs["parent"] == os.getpid()
        (line,) = (record.message for record in caplog.records)
        assert line.startswith("a kernel is spawned, not forked: the fork server did not answer")
        assert "\n" not in line
        deadline = time.monotonic() + 10
        while psutil.Process(server.pid).children():  # the kernel that nobody waits for any more
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def test_a_refused_preload_is_left_out_with_one_line(
        self, own_servers: ForkServers, runs: Runs, modules: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (modules / "raising.py").write_text("raise ValueError('no licence')")
        with caplog.at_level(logging.WARNING, "nb_dagster"):
            server = ready(own_servers, "numpy", "raising")
            runs.forked("1", preload=("numpy", "raising"), server=server)
            runs.forked("1", preload=("raising", "numpy"), server=server)
        assert [record.message for record in caplog.records] == ["raising is not preloaded: ValueError: no licence"]

    def test_a_module_that_changed_on_disk_is_seen_by_the_next_run(
        self, own_servers: ForkServers, runs: Runs, modules: Path
    ) -> None:
        module, source = modules / "upgraded.py", "import upgraded\nnb.output('version', upgraded.version)"
        module.write_text("version = 1\n")
        old = ready(own_servers, "upgraded")
        assert runs.forked(source, preload=["upgraded"], server=old).outputs["version"] == 1
        time.sleep(0.02)
        module.write_text("version = 22\n")
        assert not old.is_fresh
        assert runs.run(source, preload=["upgraded"]).outputs["version"] == 22
        new = ready(own_servers, "upgraded")
        assert runs.forked(source, preload=["upgraded"], server=new).outputs["version"] == 22

    def test_a_server_whose_modules_changed_ends_with_its_last_kernel(
        self, own_servers: ForkServers, modules: Path, tmp_path: Path
    ) -> None:
        module = modules / "upgraded.py"
        module.write_text("version = 1\n")
        old = ready(own_servers, "upgraded")
        with kernel_of(old, tmp_path) as kernel:
            time.sleep(0.02)
            module.write_text("version = 22\n")
            assert ready(own_servers, "upgraded").pid != old.pid
            with pytest.raises(subprocess.TimeoutExpired):
                process_of(old).wait(0.5)
            assert kernel.poll() is None
        assert process_of(old).wait(10) == 0

    def test_what_somebody_writes_beside_modules_ends_no_server(
        self, own_servers: ForkServers, runs: Runs, modules: Path
    ) -> None:
        server = ready(own_servers, "numpy")
        time.sleep(0.02)
        (modules / "table.csv").write_text("1")
        runs.forked("1", server=server)

    def test_a_module_that_was_just_written_is_found_by_the_next_run(
        self, own_servers: ForkServers, runs: Runs, modules: Path
    ) -> None:
        source = "import late\nnb.output('found', late.__name__)"
        ready(own_servers, "numpy")
        assert runs.forked(source, status="failed").error is not None
        time.sleep(0.02)
        (modules / "late.py").write_text("")
        assert runs.forked(source).outputs["found"] == "late"

    def test_it_can_be_turned_off(self, own_servers: ForkServers, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
        ready(own_servers, "numpy")
        monkeypatch.setenv(fork_servers.SWITCH, "off")
        assert own_servers.find(sys.executable, ("numpy",)) is None
        assert runs.run("1").outputs["parent"] == os.getpid()

    def test_one_kernel_of_a_kind_starts_no_server(self, own_servers: ForkServers, runs: Runs) -> None:
        before = server_processes()
        assert runs.run("1").outputs["parent"] == os.getpid()
        settle()
        assert server_processes() <= before


def server_processes() -> set[int]:
    """The fork servers that are children of this process."""
    found = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any(part.endswith("/fork.sock") for part in child.cmdline()):
                found.add(child.pid)
    return found


def assert_do_not_meet(folder: Path, kernels: int, at_once: int) -> None:
    path = write_notebook(folder / "a.ipynb", "import os\nnb.output('n', [n, os.getppid()])", parameters="n = 0")

    def one(n: int) -> Any:
        return run_notebook(path, {"n": n}, output=folder / f"{n}.ipynb", preload=["numpy"]).outputs["n"]

    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(one, range(1, kernels + 1)))
    assert [n for n, _ in found] == list(range(1, kernels + 1))
    assert os.getpid() not in {parent for _, parent in found}, "none was spawned"


@pytest.mark.usefixtures("servers")
class TestMany:
    def test_forty_kernels_eight_at_a_time_do_not_meet(self, tmp_path: Path) -> None:
        assert_do_not_meet(tmp_path, kernels=40, at_once=8)

    @pytest.mark.slow
    def test_two_hundred_kernels_sixteen_at_a_time_do_not_meet(self, tmp_path: Path) -> None:
        assert_do_not_meet(tmp_path, kernels=200, at_once=16)

    def test_many_runs_leave_no_descriptors_threads_or_processes(self, runs: Runs) -> None:
        me = psutil.Process()

        def held() -> tuple[int, int, int]:
            settle()
            return me.num_fds(), me.num_threads(), len(me.children(recursive=True))

        runs.forked("1")
        before = held()
        for _ in range(25):
            runs.forked("1")
        after = held()
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


@pytest.mark.usefixtures("servers")
def test_any_jupyter_client_may_use_the_provisioner(tmp_path: Path) -> None:
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3", connection_file=str(tmp_path / "kernel.json"))
    assert manager.kernel_spec is not None
    provisioner = {"provisioner_name": "nb-dagster-fork", "config": {"preload": ["numpy"]}}
    manager.kernel_spec.metadata["kernel_provisioner"] = provisioner
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        reply = client.execute(f"import os; assert os.getppid() != {os.getpid()}", reply=True, timeout=30)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
