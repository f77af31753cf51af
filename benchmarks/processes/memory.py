"""Memory of kernels that live at once, in a process of its own: ``python -m benchmarks.processes.memory ours|spawned NOTEBOOK``.

Prints the megabytes (PSS: shared pages are split among those who share them) of all processes that this one started.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from jupyter_client.manager import KernelManager

from benchmarks.contenders import ours

KERNELS = 16
_PATIENCE_SECONDS = 120


def forked(notebook: Path, folder: Path) -> float:
    """Megabytes of our kernels, and of the fork server that they come from."""
    done = Path(os.environ["BENCH_DONE"])
    done.touch()
    for _ in range(3):  # until the fork server is up
        ours(notebook, folder)
        time.sleep(2)
    done.unlink()
    _clear()
    with ThreadPoolExecutor(KERNELS) as pool:
        runs = [pool.submit(ours, notebook, folder) for _ in range(KERNELS)]
        _wait_until(lambda: _ready() >= KERNELS or any(run.done() for run in runs))
        size = _megabytes()
        done.touch()
        for run in runs:
            run.result()
    return size


def spawned(notebook: Path, _folder: Path) -> float:
    """Megabytes of as many kernels that jupyter_client starts."""
    cells = [cell["source"] for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]]
    managers = [KernelManager() for _ in range(KERNELS)]
    for manager in managers:
        manager.start_kernel()
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready()
        for cell in cells:
            client.execute(cell)
        client.stop_channels()
    _wait_until(lambda: _ready() >= KERNELS)
    size = _megabytes()
    for manager in managers:
        manager.shutdown_kernel(now=True)
    return size


def _ready() -> int:
    return len(list(Path(os.environ["BENCH_READY"]).iterdir()))


def _clear() -> None:
    for mark in Path(os.environ["BENCH_READY"]).iterdir():
        mark.unlink()


def _wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError(f"only {_ready()} kernels of {KERNELS} came up")
        time.sleep(0.1)
    time.sleep(1)


def _megabytes() -> float:
    """Of all descendants; a fork server is one, and its kernels are its children."""
    return sum(_pss(child.pid) for child in psutil.Process().children(recursive=True)) / 1024


def _pss(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def main() -> None:
    """Measure one contender."""
    contender = {"ours": forked, "spawned": spawned}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name, "ready")
        ready.mkdir()
        os.environ.update(BENCH_READY=str(ready), BENCH_DONE=str(Path(name, "done")))
        print(contender(Path(sys.argv[2]), Path(name)))


if __name__ == "__main__":
    main()
