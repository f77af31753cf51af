"""The program that is a pod's first process, run here: whom it answers, and when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import zmq

from nb_dagster.kernel.pods.in_pod import CHANNELS
from nb_dagster.kernel.pods.line import Line, LineBroken
from nb_dagster.kernel.pods.process import PROGRAM
from nb_dagster.kernel.pods.waiting import FIRST_LINE
from nb_dagster.kernel.remote import EngineFailed
from tests.waiting import wait_until

Keys: TypeAlias = tuple[bytes, bytes]
UNHEARD = 1000
"""Milliseconds without an answer, after which there will be none."""


class Pod:
    """The program, and what it says of itself."""

    def __init__(self) -> None:
        self.keys: Keys = zmq.curve_keypair()
        command = [sys.executable, "-u", str(PROGRAM), self.keys[0].decode()]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = FIRST_LINE.match(self.process.stdout.readline())
        assert said is not None
        self.port, self.public = int(said[1]), said[2].encode()
        self.line = self.line_with(self.keys)

    def line_with(self, keys: Keys) -> Line:
        return Line("127.0.0.1", self.port, self.public, keys)

    def begin(self, *command: str, lost: Path | str = "", kernel: dict[str, Any] | None = None) -> dict[str, int]:
        more: dict[str, Any] = {"cwd": ["/"], "environment": {}, "folder": "/", "lost": str(lost), "kernel": kernel}
        ports: dict[str, int] = self.line.ask("start", command=list(command), **more)["ports"]
        return ports


@pytest.fixture
def pod() -> Iterator[Pod]:
    pod = Pod()
    with pod.process:
        yield pod
        with suppress(EngineFailed):  # it has ended
            pod.line.ask("end", within=2)
        pod.line.close()
        pod.process.kill()


@contextmanager
def _connected(port: int, server: bytes, keys: Keys | None) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        if keys is not None:
            client.curve_serverkey, (client.curve_publickey, client.curve_secretkey) = server, keys
        client.connect(f"tcp://127.0.0.1:{port}")
        yield client


def _is_answered(port: int, server: bytes, keys: Keys | None) -> bool:
    with _connected(port, server, keys) as client:
        client.send(b'{"do": "look"}')
        return bool(client.poll(UNHEARD))


def test_it_answers_its_worker_and_nobody_else(pod: Pod) -> None:
    assert pod.line.ask("look")["code"] is None
    assert _is_answered(pod.port, pod.public, pod.keys)
    assert not _is_answered(pod.port, pod.public, zmq.curve_keypair())
    assert not _is_answered(pod.port, pod.public, None)
    stranger = pod.line_with(zmq.curve_keypair())
    with pytest.raises(LineBroken, match="did not answer within 1 s"):
        stranger.ask("look", within=1)
    stranger.close()


def test_a_kernel_hears_its_worker_and_nobody_else(pod: Pod, tmp_path: Path) -> None:
    curve, sockets = zmq.curve_keypair(), {name: str(tmp_path / name) for name in CHANNELS}
    with zmq.Context() as context, context.socket(zmq.ROUTER) as kernel:
        kernel.bind(f"ipc://{sockets['shell']}")
        port = pod.begin("python3", "no-such-file", kernel={"curve": [*map(bytes.decode, curve)], "sockets": sockets})
        for number, keys in enumerate([zmq.curve_keypair(), None, curve]):
            with _connected(port["shell_port"], curve[0], keys) as client:
                client.send(b"%d" % number)
                assert bool(kernel.poll(UNHEARD)) is (keys is curve)
        assert kernel.recv_multipart()[-1] == b"2"


def test_it_ends_when_it_is_told_to_before_it_was_used(pod: Pod) -> None:
    pod.process.send_signal(signal.SIGTERM)
    assert pod.process.wait(10) == 1


def test_a_step_is_told_why_it_has_to_end_and_ends_by_itself(pod: Pod, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    until_told = (
        f"import pathlib, sys, time\nwhile not pathlib.Path({str(lost)!r}).exists(): time.sleep(0.05)\nsys.exit(7)"
    )
    pod.begin(sys.executable, "-c", until_told, lost=lost)
    pod.process.send_signal(signal.SIGTERM)
    wait_until(lambda: pod.line.ask("look")["code"] == 7)
    assert lost.read_text(encoding="utf-8") == "its pod was told to end"
    assert pod.line.ask("look")["told"] == "its pod was told to end"


def test_a_kernel_is_ended_when_the_pod_is_told_to_end(pod: Pod) -> None:
    pod.begin("sleep", "60")
    pod.process.send_signal(signal.SIGTERM)
    wait_until(lambda: pod.line.ask("look")["code"] == -signal.SIGTERM)


def test_what_it_cannot_start_is_said(pod: Pod) -> None:
    with pytest.raises(EngineFailed, match="there is no command 'no-such' on the PATH of the image"):
        pod.begin("no-such")
