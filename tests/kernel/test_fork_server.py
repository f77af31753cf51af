"""A forked kernel is as good as a spawned one: its own in everything, gone when it should be, and never the only way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from nb_dagster.direct import run_notebook
from nb_dagster.kernel import fork_client
from nb_dagster.kernel.fork_client import ForkFailed, ForkServer, ForkServers, PreloadRefused
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.background import settle
from tests.notebooks import write_notebook

Run = Callable[..., Any]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServers]:
    """The fork servers of this process, with one that has numpy, ready."""
    servers = ForkServers()
    monkeypatch.setattr(fork_client, "FORK_SERVERS", servers)
    monkeypatch.setattr(NotebookDocument, "preload", ("numpy",))
    ready(servers, "numpy")
    yield servers
    servers.close()


@pytest.fixture
def run(tmp_path: Path, servers: ForkServers) -> Run:
    """Run one cell on a forked kernel; gives its outputs."""

    def run(source: str, **options: Any) -> Any:
        path = write_notebook(
            tmp_path / f"{time.monotonic_ns()}.ipynb", f"{source}\nimport os\nnb.output('ppid', os.getppid())"
        )
        result = run_notebook(path, output=tmp_path / f"{time.monotonic_ns()}.ipynb", **options)
        result.raise_for_status()
        assert result.outputs["ppid"] != os.getpid(), "it was spawned"
        return result.outputs

    return run


def ready(servers: ForkServers, *preload: str) -> ForkServer:
    servers.warm(sys.executable, preload)
    deadline = time.monotonic() + 60
    while (server := servers.find(sys.executable, preload)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server


def test_two_kernels_draw_different_random_numbers(run: Run) -> None:
    source = "import random, numpy\nnb.output('drawn', [random.random(), float(numpy.random.rand())])"
    first, second = run(source)["drawn"], run(source)["drawn"]
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_environment_folder_and_mask_are_the_runs_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET_AFTER_THE_SERVER", "seen")
    (tmp_path / "elsewhere").mkdir()
    before = os.umask(0o077)
    try:
        found = run(
            "import os\nmask = os.umask(0)\n"
            "nb.output('found', [os.environ['SET_AFTER_THE_SERVER'], os.environ['ONLY_HERE'], os.getcwd(), mask])",
            environment={"ONLY_HERE": "yes"},
            cwd=tmp_path / "elsewhere",
        )["found"]
    finally:
        os.umask(before)
    assert found == ["seen", "yes", str(tmp_path / "elsewhere"), 0o077]


def test_the_server_has_no_secrets_in_its_environment(servers: ForkServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    server = ForkServer(sys.executable, ())
    try:
        environment = psutil.Process(server._process.pid).environ()
    finally:
        server.close()
    assert "DB_PASSWORD" not in environment


def test_blas_has_the_threads_that_the_run_says(run: Run) -> None:
    source = (
        "import numpy, ctypes\n"
        "path = next(line.split()[-1] for line in open('/proc/self/maps') if 'openblas' in line)\n"
        "library = ctypes.CDLL(path)\n"
        "names = ['scipy_openblas_get_num_threads64_', 'openblas_get_num_threads64_', 'openblas_get_num_threads']\n"
        "nb.output('threads', next(getattr(library, n)() for n in names if hasattr(library, n)))"
    )
    assert run(source, environment={"OMP_NUM_THREADS": "2"})["threads"] == 2
    assert run(source, environment={"OMP_NUM_THREADS": "1"})["threads"] == 1


def test_a_module_that_changed_on_disk_is_seen_by_the_next_run(
    servers: ForkServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "upgraded.py"
    module.write_text("version = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(NotebookDocument, "preload", ("upgraded",))
    assert ready(servers, "upgraded").is_usable
    path = write_notebook(tmp_path / "a.ipynb", "import upgraded\nnb.output('version', upgraded.version)")
    assert run_notebook(path, output=tmp_path / "1.ipynb").outputs["version"] == 1
    time.sleep(0.01)
    module.write_text("version = 22\n")
    assert run_notebook(path, output=tmp_path / "2.ipynb").outputs["version"] == 22


def test_a_preload_that_starts_threads_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(PreloadRefused, match="threaded is not preloaded: it starts threads"):
        ForkServer(sys.executable, ["threaded"])


def test_an_interpreter_without_ipykernel_has_no_server() -> None:
    with pytest.raises(ForkFailed, match="did not start"):
        ForkServer("/bin/false", [])


def test_a_dead_server_is_replaced_and_no_run_fails(servers: ForkServers, tmp_path: Path) -> None:
    server = ready(servers, "numpy")
    psutil.Process(server._process.pid).kill()
    server._process.wait()
    path = write_notebook(tmp_path / "a.ipynb", "1")
    assert run_notebook(path, output=tmp_path / "out.ipynb").ok
    assert ready(servers, "numpy") is not server


def test_a_kernel_dies_with_its_server(servers: ForkServers, tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time\ntime.sleep(60)"
    )
    result = run_notebook(path, output=tmp_path / "out.ipynb", timeout=30)
    assert result.status == "killed"
    assert "SIGKILL" in (result.reason or "")


def test_forty_kernels_at_once_do_not_meet(servers: ForkServers, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('n', n)", parameters="n = 0")

    def one(n: int) -> Any:
        return run_notebook(path, {"n": n}, output=tmp_path / f"{n}.ipynb").outputs["n"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(1, 41))) == list(range(1, 41))


def test_many_runs_leave_no_descriptors_threads_or_processes(run: Run) -> None:
    me = psutil.Process()
    run("1")
    before = (me.num_fds(), me.num_threads(), len(me.children(recursive=True)))
    for _ in range(25):
        run("1")
    time.sleep(0.2)
    after = (me.num_fds(), me.num_threads(), len(me.children(recursive=True)))
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


def test_a_process_that_is_killed_takes_server_and_kernels_with_it(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('running', flush=True)\nimport time\ntime.sleep(600)")
    script = (
        "import sys, time\nfrom nb_dagster.kernel import fork_client\nfrom nb_dagster import run_notebook\n"
        "fork_client.FORK_SERVERS.warm(sys.executable, ())\n"
        "while fork_client.FORK_SERVERS.find(sys.executable, ()) is None: time.sleep(0.05)\n"
        f"run_notebook({str(path)!r})"
    )
    client = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    deadline = time.monotonic() + 60
    journals = tmp_path / ".nb_dagster/notebooks/.running"
    while not any('"text": "running' in journal.read_text() for journal in journals.glob("*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    family = psutil.Process(client.pid).children(recursive=True)
    assert len(family) == 2
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_it_can_be_turned_off(servers: ForkServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fork_client.SWITCH, "off")
    assert servers.find(sys.executable, ("numpy",)) is None


def test_any_jupyter_client_may_use_the_provisioner(servers: ForkServers, tmp_path: Path) -> None:
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


def test_exit_handlers_and_threads_end_as_in_any_python(run: Run, tmp_path: Path) -> None:
    said = tmp_path / "said"
    run(
        f"import atexit, pathlib, threading, time\nsaid = pathlib.Path({str(said)!r})\n"
        "atexit.register(lambda: said.write_text(said.read_text() + 'handler'))\n"
        "threading.Thread(target=lambda: (time.sleep(0.5), said.write_text('thread '))).start()"
    )
    settle()
    assert said.read_text() == "thread handler"
