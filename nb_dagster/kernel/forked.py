"""A forked kernel's process, seen from the process that asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess

from nb_dagster.kernel.readable import is_readable


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
            if not is_readable(self._connection.fileno(), timeout):
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
