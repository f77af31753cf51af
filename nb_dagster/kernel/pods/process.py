"""A pod, as its worker sees it: a process that is started, stopped, and says how it ended."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from nb_dagster.kernel.memory import OUT_OF_MEMORY, Memory
from nb_dagster.kernel.pods import ends, in_pod
from nb_dagster.kernel.pods.cluster import Cluster, cluster, swept
from nb_dagster.kernel.pods.line import Line, LineBroken
from nb_dagster.kernel.pods.manifest import CONTAINER, literal
from nb_dagster.kernel.pods.waiting import FIRST_LINE, Waiting
from nb_dagster.kernel.remote import EngineFailed, RemoteMemory, RemoteProcess, in_background

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

PROGRAM = Path(in_pod.__file__)
FIND_PYTHON = """\
python=$(command -v python3 || command -v python) || { echo "the image has no Python on its PATH" >&2; exit 127; }
exec "$python" -u -c "$0" "$@"
"""
"""A shell's way to run the program in a pod, which comes with its manifest."""
_LOOK = 0.3  # seconds between two looks at what runs
_LOOK_AT_POD = 2.0  # seconds without an answer, after which the cluster is asked what became of the pod
_LAST_LINES = 20
_PAUSE = 0.5  # seconds between two questions what became of a pod
_AFTER_END = 10.0  # seconds until the cluster knows how a pod ended
_requests = ThreadPoolExecutor(thread_name_prefix="pods")  # what is asked of pods, and need not be waited for


class PodProcess(RemoteProcess):
    """What runs in a pod.

    Args:
        job: the name of its job.
        namespace: where that is.
        pod: its pod, which runs.
        line: the connection to it.
        folder: a private folder, where its last words are written.

    Attributes:
        host: the pod's address.
    """

    pid = 0  # in a space of numbers that is not ours
    _requests = _requests

    def __init__(self, job: str, namespace: str, pod: V1Pod, line: Line, folder: Path) -> None:
        super().__init__()
        self.job, self.namespace, self.line = job, namespace, line
        self.host = str(pod.status.pod_ip)
        self._pod_name, self._folder = pod.metadata.name, folder
        self._cause: str | None = None
        self._memory = _PodMemory(self)
        self._connection: Mapping[str, Any] = {}
        self._files: tuple[str, Path] | None = None

    def begin(
        self,
        command: Sequence[str],
        *,
        cwd: Sequence[str],
        environment: Mapping[str, str],
        lost: Path | None = None,
        kernel: Mapping[str, Any] | None = None,
    ) -> Mapping[str, int]:
        """Start what the pod was made for; the ports of a kernel's channels.

        Args:
            command: of a step; of a kernel its name, its connection file, and further arguments.
            cwd: working directories, of which the first counts that there is.
            environment: variables that are set for it.
            lost: a file of the pod in which a step is told why it has to end.
            kernel: the keys and the sockets of a kernel's channels.

        Raises:
            EngineFailed: it cannot be started.
        """
        said = self.line.ask(
            "start",
            command=list(command),
            cwd=list(cwd),
            environment=dict(environment),
            folder=str(self._folder),
            lost=str(lost or ""),
            kernel=kernel,
        )
        threading.Thread(target=self._follow, name=f"pod-{self.job}", daemon=True).start()
        ports: Mapping[str, int] = said["ports"]
        return ports

    def share_files(self, there: str, here: Path) -> None:
        """Say which folder of the pod has the files of the run, and where they belong."""
        self._files = (there, here)

    def connect_by(self, connection: Mapping[str, Any]) -> None:
        """Say how its kernel is reached."""
        self._connection = connection

    def connection(self) -> Mapping[str, Any]:
        """What a client needs to reach its kernel."""
        return self._connection

    def bring(self, name: str) -> None:
        """Copy a file of the run from the pod."""
        if self._files is not None:
            there, here = self._files
            self.line.get(f"{there}/{name}", here / name)

    def memory(self) -> Memory:
        """Its memory, as the pod's control group says it."""
        return self._memory

    def cause_of_death(self) -> str | None:
        """What the cluster did to its pod, in words."""
        return self._cause

    def how_it_ended(self) -> str:
        """How it ended, in words."""
        code = self.wait()
        if self.is_out_of_memory:
            return f"{OUT_OF_MEMORY} in its pod, and the system killed it"
        if self._cause is not None:
            return f"was lost: {self._cause}"
        if code < 0:
            return f"was killed in its pod by {signal.Signals(-code).name}"
        return f"ended with exit code {code} in its pod"

    def remove(self) -> None:
        """Remove its pod and job, and end what still runs there."""
        self.release()
        delete(self.job, self.namespace)

    def release(self) -> None:
        """End what still runs in the pod, and leave it to the cluster."""
        with contextlib.suppress(EngineFailed):
            self.line.ask("end", within=1)
        self.line.close()
        self._end(-signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.ended.done():
            return
        try:
            self.line.ask("signal", number=int(number))
        except EngineFailed:
            if number == signal.SIGKILL:
                delete(self.job, self.namespace)

    def _follow(self) -> None:
        """Look at what runs until it has ended, over a restart of the API, and of the node's kubelet."""
        try:
            while not self.ended.done():
                said = self.line.ask("look", meanwhile=(_LOOK_AT_POD, self._look_at_pod))
                self._memory.heard(int(said["memory"]), out=bool(said["is_out_of_memory"]))
                if said["code"] is not None:
                    self._end_in_pod(int(said["code"]), str(said["told"]))
                time.sleep(_LOOK)
        except LineBroken as broken:
            self._end_with_pod(str(broken))

    def _end_in_pod(self, code: int, told: str) -> None:
        self.is_out_of_memory = code == -signal.SIGKILL and self._memory.is_out
        if told:
            self._cause = self._what_cluster_did() or told
        said = cluster().last_lines(self._pod_name, self.namespace, CONTAINER, _LAST_LINES)
        with contextlib.suppress(OSError):  # words that are nice to have, and a folder that may be gone
            (self._folder / "kernel.log").write_text(_without_first_line(said), encoding="utf-8")
        self._end(code)

    def _end_with_pod(self, broken: str) -> None:
        """It does not answer: what became of it, the cluster knows."""
        code, until = -int(signal.SIGKILL), time.monotonic() + _AFTER_END
        while not self.ended.done() and time.monotonic() < until:
            try:
                pod = cluster().find(self._pod_name, self.namespace)
            except EngineFailed:
                break
            self._cause = ends.ended_by_cluster(pod)
            if pod is None:
                break
            if ends.is_over(pod):
                code = ends.code_of(pod) or code
                self.is_out_of_memory = ends.is_out_of_memory(pod)
                broken = f"its pod ended {ends.signal_words(code)}"
                break
            time.sleep(_PAUSE)
        if self._cause is None and not self.is_out_of_memory:
            self._cause = f"the connection to its pod is lost: {broken}"
        self._end(code)

    def _what_cluster_did(self) -> str | None:
        try:
            return ends.ended_by_cluster(cluster().find_at_once(self._pod_name, self.namespace))
        except EngineFailed:
            return None

    def _look_at_pod(self) -> None:
        """Stop waiting for an answer from a pod that is gone; where the API does not answer either, go on."""
        try:
            pod = cluster().find_at_once(self._pod_name, self.namespace)
        except EngineFailed:
            return
        if pod is None or ends.is_over(pod):
            raise LineBroken("its pod is gone")

    def _end(self, code: int) -> None:
        if not self.ended.done():
            with contextlib.suppress(Exception):  # another thread was first
                self.ended.set_result(code)


class _PodMemory(RemoteMemory):
    """The memory of a pod, as far as it was heard."""

    is_out = False

    def heard(self, now: int, *, out: bool) -> None:
        self.now, self.peak, self.is_out = now, max(self.peak, now), out

    def look(self) -> None:
        """What was heard last is what there is."""


def start(
    make_job: Callable[[Cluster, str, Sequence[str]], Any],
    folder: Path,
    *,
    name: str,
    namespace: str | None,
    start_timeout: float | None,
    tell: Callable[[str], None],
    is_given_up: Callable[[], bool],
) -> PodProcess:
    """Make a job, wait until its pod runs, and connect to the program in it.

    Args:
        make_job: makes the job's manifest, for a cluster, under a name, with the command of its container.
        folder: a private folder of this process.
        name: what it is made for; the job's name begins with it.
        namespace: where it is made; None is the cluster's own.
        start_timeout: seconds until it must run; None waits for a node as long as it takes.
        tell: hears what it waits for.
        is_given_up: says whether nobody wants it any more.

    Raises:
        EngineFailed: it cannot be made, never runs, or cannot be reached.
    """
    found = cluster()
    where = namespace or found.namespace
    swept(where)
    job = f"{re.sub(r'[^a-z0-9]+', '-', name.lower())[:40].strip('-') or 'notebook'}-{uuid.uuid4().hex[:12]}"
    keys = zmq.curve_keypair()
    program = PROGRAM.read_text(encoding="utf-8")
    command = ["/bin/sh", "-c", *map(literal, (FIND_PYTHON, program, keys[0].decode()))]
    found.create(make_job(found, job, command), where)
    try:
        waiting = Waiting(job, where, start_timeout, tell, is_given_up)
        pod = waiting.until_it_runs()
        port, server_key = waiting.until_it_speaks(pod)
        line = Line(pod.status.pod_ip, port, server_key, keys)
        process = PodProcess(job, where, pod, line, folder)
        try:
            line.ask("look")
        except EngineFailed as error:
            process.release()
            raise EngineFailed(
                f"{error}; the worker must be in the cluster's network, and its policies let it through"
            ) from None
        return process
    except BaseException:
        delete(job, where)
        raise


def delete(job: str, namespace: str) -> None:
    """Delete a job and its pod; where the API is away, in the background, as soon as it is back."""

    def away() -> None:
        cluster().delete(job, namespace, grace=1)

    if not cluster().delete_at_once(job, namespace, grace=1):
        in_background(_requests, away)


def _without_first_line(log: str) -> str:
    return "\n".join(line for line in log.splitlines() if not FIRST_LINE.match(line))
