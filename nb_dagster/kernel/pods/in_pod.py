"""What runs in a pod, as its first process: it starts the kernel or step, and ends it when its worker is gone.

The pod's worker talks to it over one connection, which CurveZMQ encrypts, and on which each side knows the other: the
worker's public key is an argument, and this program's own is the first line of the pod's log, which the worker reads
from the cluster. So nothing that is secret is in any manifest.

This file is the program, run with whatever Python 3 the image has; it imports the standard library, and pyzmq and
jupyter_client, which ipykernel brings.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

try:
    import zmq
    import zmq.utils.z85
except ImportError:
    sys.exit("the image has no ipykernel; add it to its packages")

FIRST_WORD = "nb_dagster-pod"  # of the line in the log
_TICK = 200  # milliseconds
_UNHEARD = 30.0  # seconds without a word of the worker after which it counts as gone
_NEVER_HEARD = 120.0  # seconds for its first word
_GRACE = 15.0  # seconds that a step has to end, when its worker is gone
_PART = 1 << 22  # bytes of a file in one answer
CHANNELS = {
    "shell": ("ROUTER", "DEALER"),
    "control": ("ROUTER", "DEALER"),
    "stdin": ("ROUTER", "DEALER"),
    "hb": ("ROUTER", "DEALER"),
    "iopub": ("XPUB", "XSUB"),
}


def admit(context: "zmq.Context[Any]", allowed: "set[bytes]") -> None:
    """Let clients with these public keys in, and no others (ZMQ's RFC 27)."""
    door = context.socket(zmq.REP)
    door.bind("inproc://zeromq.zap.01")

    def answer() -> None:
        while True:
            version, request, _, _, _, mechanism, *credentials = door.recv_multipart()
            known = mechanism == b"CURVE" and zmq.utils.z85.encode(credentials[0]) in allowed
            status = (b"200", b"OK") if known else (b"400", b"unknown key")
            door.send_multipart([version, request, *status, b"", b""])

    threading.Thread(target=answer, daemon=True).start()


def guarded(context: "zmq.Context[Any]", kind: str, keys: "tuple[bytes, bytes]") -> "zmq.Socket[Any]":
    """A socket that only those who were admitted can connect to."""
    bound: zmq.Socket[Any] = context.socket(getattr(zmq, kind))
    bound.curve_server = True
    bound.curve_publickey, bound.curve_secretkey = keys
    bound.linger = 0
    return bound


class Lacking(Exception):
    """The image lacks something; the message says what, for the user."""


class Relay:
    """The kernel's channels, from its sockets in the pod to guarded ports."""

    def __init__(self, context: "zmq.Context[Any]", keys: "tuple[bytes, bytes]", sockets: "dict[str, str]") -> None:
        self.ports: dict[str, int] = {}
        for name, (front_kind, back_kind) in CHANNELS.items():
            front, back = guarded(context, front_kind, keys), context.socket(getattr(zmq, back_kind))
            for each in (front, back):
                each.sndhwm = each.rcvhwm = 0  # nothing that a kernel said is dropped
            self.ports[f"{name}_port"] = front.bind_to_random_port("tcp://*")
            back.connect(f"ipc://{sockets[name]}")
            threading.Thread(target=self._pass_on, args=(front, back), daemon=True).start()

    @staticmethod
    def _pass_on(front: "zmq.Socket[Any]", back: "zmq.Socket[Any]") -> None:
        with contextlib.suppress(zmq.ZMQError):  # the program ends
            zmq.proxy(front, back)


class Child:
    """The kernel or step."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None

    def start(self, command: "list[str]", cwd: str, environment: "dict[str, str]") -> int:
        """Start it, in a session of its own; its number."""
        self.process = subprocess.Popen(command, cwd=cwd, env=environment, start_new_session=True)
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self.process is not None and self.code is None

    def reap(self) -> None:
        """Take note of every process that has ended, as the first process of a pod has to."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self.process is not None and pid == self.process.pid:
                self.code = self.process.returncode = os.waitstatus_to_exitcode(status)

    def signal(self, number: int) -> None:
        """Send it a signal; SIGKILL goes to all that it started."""
        if self.process is None or self.code is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                os.kill(self.process.pid, number)
        if number == signal.SIGKILL and os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)


class Memory:
    """The memory of the pod's control group, of either version."""

    _V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")

    def __init__(self) -> None:
        self._before = self._kills()

    def now(self) -> int:
        """Bytes in use; 0 where the system does not say it."""
        for file in (self._V2 / "memory.current", self._V1 / "memory.usage_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                return int(file.read_text())
        return 0

    def is_out(self) -> bool:
        """Whether the system killed a process of it for lack of memory."""
        return self._kills() > self._before

    def _kills(self) -> int:
        for file in (self._V2 / "memory.events", self._V1 / "memory.oom_control"):
            with contextlib.suppress(OSError):
                return sum(map(int, re.findall(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)))
        return 0


class Supervisor:
    """Does what the worker asks for, until it asks for the end, or is not heard any more."""

    def __init__(self, worker: str) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._keys = zmq.curve_keypair()
        self._allowed = {worker.encode()}
        self._child, self._memory = Child(), Memory()
        self._heard, self._is_heard = time.monotonic(), False
        self._told, self._lost = "", ""
        self._is_over = False

    def serve(self) -> int:
        """Serve until the end; the exit code of what was started."""
        admit(self._context, self._allowed)
        line = guarded(self._context, "ROUTER", self._keys)
        port = line.bind_to_random_port("tcp://*")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._be_told("its pod was told to end"))
        sys.stdout.write(f"{FIRST_WORD} {port} {self._keys[0].decode()}\n")
        sys.stdout.flush()
        while not self._is_over:
            if line.poll(_TICK):
                sender, request, *data = line.recv_multipart()
                self._heard, self._is_heard = time.monotonic(), True
                line.send_multipart([sender, *self._answer(json.loads(request), data)])
            self._child.reap()
            if time.monotonic() - self._heard > (_UNHEARD if self._is_heard else _NEVER_HEARD):
                self._abandon()
        time.sleep(0.1)  # for the last answer
        self._child.reap()
        code = self._child.code
        return 1 if code is None else code if code >= 0 else 128 - code

    def _be_told(self, why: str) -> None:
        """The pod is to go: a step is told why, and ends by itself; a kernel just ends, and so does an unused pod."""
        if not self._told:
            self._told = why
        if self._child.process is None:
            self._is_over = True
        if self._lost and self._child.is_running:
            partial = Path(f"{self._lost}.partial")
            partial.write_text(why, encoding="utf-8")
            partial.rename(self._lost)
        else:
            self._child.signal(signal.SIGTERM)

    def _abandon(self) -> None:
        self._be_told("its worker does not answer any more")
        until = time.monotonic() + (_GRACE if self._lost else 0)
        while self._child.is_running and time.monotonic() < until:
            time.sleep(_TICK / 1000)
            self._child.reap()
        self._child.signal(signal.SIGKILL)
        self._is_over = True

    def _answer(self, request: "dict[str, Any]", data: "list[bytes]") -> "list[bytes]":
        try:
            said, *more = getattr(self, f"_do_{request.pop('do')}")(*data, **request)
        except Lacking as lacking:
            said, more = {"error": str(lacking)}, []
        except Exception as error:  # the worker says it in its own words
            said, more = {"error": f"{type(error).__name__}: {error}"}, []
        return [json.dumps(said).encode(), *more]

    def _do_look(self) -> "list[Any]":
        return [
            {
                "code": self._child.code,
                "told": self._told,
                "memory": self._memory.now(),
                "is_out_of_memory": self._memory.is_out(),
            }
        ]

    def _do_put(self, content: bytes, *, path: str, more: bool) -> "list[Any]":
        """Write, or go on to write, a file that only this user reads."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_WRONLY | (os.O_APPEND if more else os.O_TRUNC)
        with open(os.open(path, flags, 0o600), "ab" if more else "wb") as file:
            file.write(content)
        return [{}]

    def _do_start(
        self,
        *,
        command: "list[str]",
        cwd: "list[str]",
        environment: "dict[str, str]",
        folder: str,
        lost: str,
        kernel: "dict[str, Any] | None",
    ) -> "list[Any]":
        """Start it in the first of these working directories that there is; a step is told in a file why it has to end."""
        if not os.access("/tmp", os.W_OK):  # noqa: S108 - its root filesystem is read-only; this folder never is
            os.environ.setdefault("TMPDIR", folder)
        environment, ports = {**os.environ, **environment}, {}
        if kernel is not None:
            public, secret = (each.encode() for each in kernel["curve"])
            self._allowed.add(public)
            command, own = kernel_command(*command)
            environment.update(own)
            ports = Relay(self._context, (public, secret), kernel["sockets"]).ports
        self._lost = lost
        if shutil.which(command[0], path=environment.get("PATH")) is None:
            raise Lacking(f"there is no command {command[0]!r} on the PATH of the image")
        pid = self._child.start(command, next(filter(os.path.isdir, cwd)), environment)
        return [{"pid": pid, "ports": ports}]

    def _do_signal(self, *, number: int) -> "list[Any]":
        self._child.signal(number)
        return [{}]

    def _do_files(self, *, folder: str) -> "list[Any]":
        """The files in a folder; links are none."""
        found = []
        for path, _, names in os.walk(folder):
            for name in names:
                file = os.path.join(path, name)
                if os.path.isfile(file) and not os.path.islink(file):
                    found.append(os.path.relpath(file, folder))
        return [{"files": found}]

    def _do_get(self, *, path: str, offset: int) -> "list[Any]":
        """A part of a file; an empty one is its end."""
        with open(path, "rb") as file:
            file.seek(offset)
            return [{}, file.read(_PART)]

    def _do_end(self) -> "list[Any]":
        self._child.signal(signal.SIGKILL)
        self._is_over = True
        return [{}]


def kernel_command(name: str, connection: str, *more: str) -> "tuple[list[str], dict[str, str]]":
    """The command of a kernel, and its own variables."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        installed = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise Lacking(f"there is no kernel {name!r} in the image (installed: {installed})") from None
    command = [each.replace("{connection_file}", connection) for each in spec.argv]
    is_python = any("ipykernel" in each for each in command)
    command = [*([sys.executable, *command[1:]] if is_python else command), *(more if is_python else [])]
    return command, {key: str(value) for key, value in spec.env.items()}


if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[1]).serve())
