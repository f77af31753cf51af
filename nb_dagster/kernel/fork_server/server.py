"""The server: one process, one thread, a fork for each request."""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import stat
import struct
import sys
from typing import TYPE_CHECKING, Any

from .preloads import Refused, import_all, sources
from .takeover import exit_as_python_does, take_on

if TYPE_CHECKING:
    from .kernel import ForkedApp

_PR_SET_PDEATHSIG = 1


def main(path: str, idle: str, *preloads: str) -> None:
    """Import, say so, and serve.

    Args:
        path: of the socket.
        idle: seconds without any kernel after which it ends.
        preloads: modules to import.
    """
    answer = os.dup(1)
    os.dup2(2, 1)  # what a preload prints is no answer
    sys.path[:] = [each for each in sys.path if each]  # the folder it was started in is nobody's
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    try:
        import_all(preloads)
    except Refused as refused:
        _report(answer, {"refused": refused.module, "why": refused.why})
        return
    from .kernel import ForkedApp

    app = ForkedApp.instance()
    app.prepare()
    gc.collect()
    gc.freeze()  # what is here now is shared with every kernel; a collection must not touch, and so copy, it
    _report(answer, {"watched": [*sources(preloads), *app.configuration_files]})
    is_owned = stat.S_ISFIFO(os.fstat(0).st_mode)  # the other end is whoever started us
    server = Server(listener, app)
    server.serve(float(idle), is_owned=is_owned)
    if not is_owned and not server.is_retired:  # whoever retires it removes its folder, and may have made another
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)


def _report(answer: int, report: dict[str, Any]) -> None:
    """Answer whoever started us."""
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        print(json.dumps(report), file=file)


class Server:
    """Forks kernels.

    Args:
        listener: where clients connect.
        app: the kernel's first half.
    """

    def __init__(self, listener: socket.socket, app: ForkedApp) -> None:
        self._app = app
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
        signal.signal(signal.SIGTERM, self._retire)
        self.is_retired = False
        self._wakeup = wakeup
        self._pid = os.getpid()

    def serve(self, idle: float, *, is_owned: bool) -> None:
        """Go on until nobody needs it.

        Args:
            idle: seconds without any kernel after which it ends.
            is_owned: whether it ends with whoever holds the other end of its standard input.
        """
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        if is_owned:
            self._selector.register(0, selectors.EVENT_READ)
        while self._kernels or not self.is_retired:
            events = self._selector.select(None if self._kernels else idle)
            if not events:
                return
            for key, _ in events:
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd == self._woken:
                    self._reap()
                elif key.fd == 0:
                    if not os.read(0, 1):  # our owner is gone
                        self._kill_all()
                        return
                elif isinstance(key.fileobj, socket.socket):
                    self._hang_up(key.fileobj)

    def _retire(self, *_: object) -> None:
        """Take no more requests, and end with the last kernel."""
        self.is_retired = True

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            _check_peer(connection)
            request, output = _receive(connection)
        except (OSError, ValueError, IndexError):
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
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
        take_on(request)
        sys.argv = ["ipykernel_launcher.py", *request["arguments"]]
        code = 0
        try:
            self._app.launch(request["arguments"])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        exit_as_python_does(code)

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


def _check_peer(connection: socket.socket) -> None:
    """A request is code to run as this user: only this user may send one."""
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    if user != os.getuid():
        raise ValueError(f"a request of user {user}")


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
