"""A running fork server: how it is started, and how kernels are asked of it."""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb_dagster.kernel.folders import umask
from nb_dagster.kernel.forked import ForkedProcess
from nb_dagster.kernel.readable import is_readable
from nb_dagster.kernel.watchdog import MARK_VARIABLE

_START_SECONDS = 60.0
_REPLY_SECONDS = 10.0
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "VIRTUAL_ENV")
_PASSED_PREFIXES = ("IPYTHON", "JUPYTER_")
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_MARK_ROOM = 255
_PROGRAM = Path(__file__).parent / "fork_server" / "__init__.py"
_LOAD = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("nb_dagster_fork_server", sys.argv[1])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
from nb_dagster_fork_server.server import main
main(*sys.argv[2:])
"""  # by path, as a package of its own: the kernels' interpreter need not have nb_dagster, nor find our files in its path


class ForkFailed(Exception):
    """No kernel could be forked; the caller spawns one instead."""


class PreloadRefused(ForkFailed):
    """A module cannot be imported before a fork."""

    def __init__(self, module: str, why: str) -> None:
        super().__init__(f"{module} is not preloaded: {why}")
        self.module = module


@dataclass(frozen=True)
class ForkServer:
    """A fork server that has said that it is ready.

    Attributes:
        folder: its private folder, with its socket.
        pid: its process.
        watched: files and folders that decide what it imported, with the times of their last change.
        process: the process, where it is a child of this one.
    """

    folder: Path
    pid: int
    watched: Mapping[str, int | None]
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        folder: Path,
        python: str,
        preload: Sequence[str],
        idle: float,
        *,
        shared: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> ForkServer:
        """Start one, and wait until it has imported everything.

        Args:
            folder: a private folder for its socket and its log.
            python: the interpreter of its kernels.
            preload: modules that it imports.
            idle: seconds without any kernel after which it ends by itself.
            shared: whether it outlives this process.
            environment: what its kernels will start with, of which it gets what it must; None takes this process's.

        Raises:
            PreloadRefused: a module cannot be imported before a fork.
            ForkFailed: it did not come up.
        """
        passed = {
            name: value
            for name, value in (os.environ if environment is None else environment).items()
            if name in (*_PASSED, *_LOCALE) or name.startswith((*_PASSED_PREFIXES, *_READ_AT_START))
        }
        passed[MARK_VARIABLE] = "-" * _MARK_ROOM  # a kernel writes its own there, for the system to show
        passed |= {"OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        with open(folder / "server.log", "wb") as log:
            process = subprocess.Popen(
                [python, "-c", _LOAD, str(_PROGRAM), str(folder / "fork.sock"), str(idle), *preload],
                stdin=subprocess.DEVNULL if shared else subprocess.PIPE,  # a pipe's end is its owner's
                stdout=subprocess.PIPE,
                stderr=log,
                env=passed,
                cwd=folder,
                start_new_session=True,
            )
        report = _read_report(process)
        if report is None or "refused" in report:
            _end(process)
            if report is not None:
                raise PreloadRefused(report["refused"], report["why"])
            last = (folder / "server.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise ForkFailed(f"the fork server did not start ({' '.join(last) or 'no reason given'})")
        watched = {path: _mtime(path) for path in report["watched"]}
        return cls(folder, process.pid, watched, process)

    @property
    def is_fresh(self) -> bool:
        """Whether what it imported is still what is on disk."""
        return all(_mtime(path) == seen for path, seen in self.watched.items())

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        if self.process is not None:
            return self.process.poll() is None
        try:
            self._connect().close()
        except OSError:
            return False
        return True

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
        request = {"arguments": list(arguments), "cwd": cwd, "env": dict(environment), **_inherited()}
        try:
            connection = self._connect()
        except OSError as error:
            raise ForkFailed(f"the fork server is gone ({error})") from None
        try:
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

    def retire(self) -> None:
        """Tell it to end with its last kernel."""
        with contextlib.suppress(ProcessLookupError):
            if self.process is not None:
                self.process.send_signal(signal.SIGTERM)
            else:
                os.kill(self.pid, signal.SIGTERM)

    def close(self) -> None:
        """End it, and its kernels, where it is a child of this process."""
        if self.process is not None:
            _end(self.process)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_REPLY_SECONDS)
        try:
            connection.connect(str(self.folder / "fork.sock"))
        except OSError:
            connection.close()
            raise
        return connection


def read_at_start(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What of an environment is read once, by a process that starts: a fork has that of its server.

    Args:
        environment: all variables; None takes this process's.
    """
    variables = os.environ if environment is None else environment
    locale = next(filter(None, map(variables.get, _LOCALE)), "")
    return (locale, *sorted(f"{name}={variables[name]}" for name in variables if name.startswith(_READ_AT_START)))


def plain_name(python: str) -> str:
    """One name for an interpreter that has several: ``bin/python3.11`` is ``bin/python``."""
    plain = Path(python).with_name("python")
    return str(plain) if plain.exists() and os.path.exists(python) and plain.samefile(python) else python


def _inherited() -> dict[str, Any]:
    """What a child process would inherit from this one, and a forked kernel must be told."""
    import resource  # Linux, as forking is

    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    return {"umask": umask(), "limits": limits, "cpus": sorted(os.sched_getaffinity(0)), "nice": nice}


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)
    process.kill()
    process.wait()


def _read_report(process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    line = process.stdout.readline() if is_readable(process.stdout.fileno(), _START_SECONDS) else b""
    try:
        report: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return report


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
