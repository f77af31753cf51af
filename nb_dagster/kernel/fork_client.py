"""Kernels forked from a warm process: the fork servers of this process, and the kernels they made."""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nb_dagster.kernel.folders import private_folder

SWITCH = "NB_DAGSTER_FORK_SERVER"
"""Set to ``off``, kernels are always spawned."""
_START_SECONDS = 60.0
_REPLY_SECONDS = 10.0
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_PROGRAM = Path(__file__).parent / "fork_server" / "__init__.py"
_LOAD = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("nb_dagster_fork_server", sys.argv[1])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
from nb_dagster_fork_server.server import main
main(*sys.argv[2:])
"""  # by path, as a package of its own: the kernels' interpreter need not have nb_dagster, nor find our files in its path
_log = logging.getLogger("nb_dagster")


class ForkFailed(Exception):
    """No kernel could be forked; the caller spawns one instead."""


class ForkedProcess:
    """A forked kernel, as far as jupyter_client needs a ``subprocess.Popen``.

    It is the fork server's child; how it ended comes over the connection that it was asked for with.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection
        self._received = b""

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout: float | None) -> int | None:
        while self.returncode is None:
            readable, _, _ = select.select([self._connection], [], [], timeout)
            if not readable:
                return None
            received = self._connection.recv(4096)
            self._received += received
            if not received:  # the server is gone, and its kernels with it
                self._end(-signal.SIGKILL)
            elif self._received.endswith(b"\n"):
                self._end(int(json.loads(self._received)["exit"]))
        return self.returncode

    def _end(self, code: int) -> None:
        self.returncode = code
        self._connection.close()


class ForkServer:
    """A running fork server.

    Args:
        python: the interpreter of its kernels.
        preload: modules that it imports.

    Raises:
        ForkFailed: it did not come up.
    """

    def __init__(self, python: str, preload: Sequence[str]) -> None:
        self._stack = contextlib.ExitStack()
        folder = self._stack.enter_context(private_folder())
        self._socket = str(folder / "fork.sock")
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        with open(folder / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                [python, "-c", _LOAD, str(_PROGRAM), self._socket, *preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        report = self._read_report()
        if report is None or "refused" in report:
            last = (folder / "server.log").read_text(errors="replace").strip().splitlines()[-1:]
            self.close()
            if report is not None:
                raise PreloadRefused(report["refused"], report["why"])
            raise ForkFailed(f"the fork server did not start ({' '.join(last) or 'no reason given'})")
        self._watched = {path: _mtime(path) for path in report["watched"]}

    @property
    def is_usable(self) -> bool:
        """Whether it runs, and what it imported is still what is on disk."""
        return self._process.poll() is None and all(_mtime(path) == seen for path, seen in self._watched.items())

    def fork(self, arguments: Sequence[str], cwd: str, environment: Mapping[str, str], output: int) -> ForkedProcess:
        """Fork a kernel.

        Args:
            arguments: those of ``ipykernel_launcher``.
            cwd: its working directory.
            environment: all its environment variables.
            output: descriptor that its standard error goes to.

        Raises:
            ForkFailed: the server did not answer.
        """
        mask = os.umask(0o022)
        os.umask(mask)
        request = {"arguments": list(arguments), "cwd": cwd, "env": dict(environment), "umask": mask}
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_REPLY_SECONDS)
        try:
            connection.connect(self._socket)
            data = json.dumps(request).encode() + b"\n"
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [output]))]
            sent = connection.sendmsg([data], rights)
            connection.sendall(data[sent:])
            pid = int(json.loads(_read_line(connection))["pid"])
        except (OSError, ValueError, KeyError) as error:
            connection.close()
            raise ForkFailed(f"the fork server did not answer ({type(error).__name__}: {error})") from None
        connection.settimeout(None)
        return ForkedProcess(pid, connection)

    def close(self) -> None:
        """End it, and its kernels."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stack.close()

    def _read_report(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for above
        readable, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
        line = self._process.stdout.readline() if readable else b""
        try:
            report: dict[str, Any] = json.loads(line)
        except ValueError:
            return None
        return report


class PreloadRefused(ForkFailed):
    """A module cannot be imported before a fork."""

    def __init__(self, module: str, why: str) -> None:
        super().__init__(f"{module} is not preloaded: {why}")
        self.module = module


class ForkServers:
    """The fork servers of this process, one for each interpreter and set of preloads.

    A process that starts one kernel never starts a server: that costs more than it saves. The second kernel of a kind
    starts one beside its own spawn, and those after it are forked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: dict[tuple[str, ...], int] = {}
        self._servers: dict[tuple[str, ...], ForkServer | None] = {}
        self._retired: list[ForkServer] = []
        self._refused: set[str] = set()

    def find(self, python: str, preload: Sequence[str]) -> ForkServer | None:
        """A server that is ready; None where there is none yet, or never will be."""
        if not _is_possible():
            return None
        key = self._key(python, preload)
        with self._lock:
            self._starts[key] = self._starts.get(key, 0) + 1
            server = self._servers.get(key)
            if server is not None and server.is_usable:
                return server
            if server is not None:  # an install changed what it imported, or it died; its kernels go on with it
                self._retired.append(self._servers.pop(key) or server)
            if key not in self._servers and self._starts[key] > 1:
                self._start(python, key)
            return None

    def warm(self, python: str, preload: Sequence[str]) -> None:
        """Start a server now, because many kernels are to come."""
        key = self._key(python, preload)
        with self._lock:
            if _is_possible() and key not in self._servers:
                self._start(python, key)

    def close(self) -> None:
        """End all servers, and their kernels."""
        with self._lock:
            servers = [*self._retired, *(server for server in self._servers.values() if server is not None)]
            self._servers, self._retired = {}, []
        for server in servers:
            server.close()

    def _key(self, python: str, preload: Sequence[str]) -> tuple[str, ...]:
        return (python, *sorted(set(preload) - self._refused))

    def _start(self, python: str, key: tuple[str, ...]) -> None:
        self._servers[key] = None  # one is coming
        threading.Thread(target=self._start_now, args=(python, key), name="nb_dagster fork server", daemon=True).start()

    def _start_now(self, python: str, key: tuple[str, ...]) -> None:
        try:
            server = ForkServer(python, key[1:])
        except PreloadRefused as refused:
            _log.warning("%s", refused)
            with self._lock:
                self._refused.add(refused.module)
            return
        except (ForkFailed, OSError) as failed:
            _log.warning("kernels are spawned, not forked: %s", failed)
            return
        with self._lock:
            self._servers[key] = server


FORK_SERVERS = ForkServers()


def _is_possible() -> bool:
    return sys.platform == "linux" and os.environ.get(SWITCH, "").lower() not in ("off", "0", "no", "false")


def _mtime(path: str) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        received = connection.recv(4096)
        if not received:
            raise ValueError("it hung up")
        line += received
    return line


def _forget_servers() -> None:
    global FORK_SERVERS  # noqa: PLW0603 - they are the parent's
    FORK_SERVERS = ForkServers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_servers)
atexit.register(lambda: FORK_SERVERS.close())  # noqa: PLW0108 - those there are then
