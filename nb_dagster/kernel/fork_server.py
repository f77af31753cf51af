"""The fork server's program: a Python with ipykernel imported, which forks a ready kernel on request.

It is run by path, with the interpreter of the kernels it makes, and imports nothing of nb_dagster. It stays
single-threaded, knows no secrets (its environment is a short list of names), and ends when its standard input closes.

A client connects to its socket once a kernel, and sends a line of JSON (``connection_file``, ``cwd``, ``env``) with a
descriptor for the kernel's standard error. It is answered ``{"pid": ...}``, and ``{"exit": ...}`` when the kernel has ended.
When a client goes away before that, its kernel is killed.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_FORK_SAFE_THREADS = ("jemalloc_bg_thd",)  # of pyarrow's allocator, which pandas brings; jemalloc minds forks itself


def main() -> None:
    """Import, say so, and serve."""
    path, *preloads = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    report = _import_all(preloads)
    print(json.dumps(report), flush=True)  # noqa: T201 - the answer to whoever started us
    if "refused" in report:
        return
    gc.collect()
    gc.freeze()  # what is here now is shared with every kernel; a collection must not touch, and so copy, it
    _Server(listener).serve()


def _import_all(preloads: list[str]) -> dict[str, Any]:
    """Import what kernels need, and what is declared; a module that leaves threads or CUDA behind is refused."""
    import ipykernel.debugger  # debugpy, which every kernel imports
    import ipykernel.kernelapp
    import ipykernel.zmqshell  # noqa: F401

    files = []
    for name in preloads:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            return {"refused": name, "why": f"{type(error).__name__}: {error}"}
        threads = _threads()
        if threads:
            return {"refused": name, "why": f"it starts threads ({', '.join(threads)})"}
        if any("/dev/nvidia" in _link(fd) for fd in os.listdir("/proc/self/fd")):
            return {"refused": name, "why": "it opens a GPU"}
        files.append(getattr(module, "__file__", None) or "")
    return {"watched": [each for each in (*sys.path, *files) if each and os.path.exists(each)]}


def _threads() -> list[str]:
    """Names of threads beside the main one, but for those whose library has handlers for a fork."""
    names = []
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid():
            with open(f"/proc/self/task/{task}/comm", encoding="utf-8") as comm:
                names.append(comm.read().strip())
    return [name for name in names if name not in _FORK_SAFE_THREADS]


def _link(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._kernels: dict[int, socket.socket] = {}
        self._hung_up: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._woken, wakeup = os.pipe()
        for descriptor in (self._woken, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the client's affair
        self._wakeup = wakeup
        self._pid = os.getpid()

    def serve(self) -> None:
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd == self._woken:
                    self._reap()
                elif key.fd == sys.stdin.fileno():
                    if not os.read(key.fd, 1):  # our client's process is gone
                        return self._kill_all()
                elif isinstance(key.fileobj, socket.socket):
                    self._hang_up(key.fileobj)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            request, output = _receive(connection)
        except (OSError, ValueError):
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            try:
                self._become_kernel(request, output)
            finally:
                os._exit(1)
        os.close(output)
        self._kernels[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        _send(connection, {"pid": pid})

    def _become_kernel(self, request: dict[str, Any], output: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.default_int_handler)
        self._selector.close()
        for each in (self._listener, *self._kernels.values()):
            each.close()
        os.close(self._woken)
        os.close(self._wakeup)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for source, target in ((null, 0), (null, 1), (output, 2)):
            os.dup2(source, target)
        os.close(null)
        os.close(output)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:  # the server died before we asked to die with it
            os._exit(1)
        _take_on(request)
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["ipykernel_launcher.py", "-f", request["connection_file"]]
        code = 0
        try:
            IPKernelApp.launch_instance(argv=sys.argv[1:])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        _exit_as_python_does(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        while self._kernels:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._kernels.pop(pid, None)
            if connection is not None:
                if connection not in self._hung_up:
                    self._selector.unregister(connection)
                self._hung_up.discard(connection)
                _send(connection, {"exit": os.waitstatus_to_exitcode(status)})
                connection.close()

    def _hang_up(self, connection: socket.socket) -> None:
        """A client says nothing after its request: that it can be read means that it is gone."""
        for pid, each in self._kernels.items():
            if each is connection:
                _kill_group(pid)
        self._selector.unregister(connection)
        self._hung_up.add(connection)

    def _kill_all(self) -> None:
        for pid in self._kernels:
            _kill_group(pid)


def _take_on(request: dict[str, Any]) -> None:
    """Make this process the run's own: environment, folder, umask, locale, time zone, random numbers, BLAS threads."""
    import locale
    import random

    os.environ.clear()
    os.environ.update(request["env"])
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    time.tzset()
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, "")
    random.seed()
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
    matplotlib: Any = sys.modules.get("matplotlib")
    if matplotlib is not None and os.environ.get("MPLBACKEND"):
        matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
    _set_blas_threads()


def _exit_as_python_does(code: int) -> None:
    """End with what the notebook left for its end: threads to wait for, exit handlers, buffered text."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter itself does
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _set_blas_threads() -> None:
    """OpenBLAS was loaded with one thread, so that the server has none; give it what the run's environment says."""
    wanted = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    threads = int(wanted) if wanted.isdigit() else len(os.sched_getaffinity(0))
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "openblas" in line}
    for path in libraries:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for prefix in ("scipy_", ""):
                for suffix in ("64_", ""):
                    setter = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
                    if setter is not None:
                        setter(threads)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], int]:
    """A request, and the descriptor that came with it."""
    connection.settimeout(10)
    descriptors = array.array("i")
    data, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(descriptors.itemsize))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: descriptors.itemsize])
    while not data.endswith(b"\n"):
        more = connection.recv(1 << 16)
        if not more:
            raise ValueError("a request was cut")
        data += more
    connection.settimeout(None)
    return json.loads(data), descriptors[0]


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
