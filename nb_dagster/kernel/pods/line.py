"""The worker's end of its connection to the program in a pod: one request at a time, each with its answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import zmq

from nb_dagster.kernel.remote import EngineFailed

_ANSWER = 20.0
"""Seconds for an answer; a network that is away for longer counts as gone."""
_PART = 1 << 22
_Waiting: TypeAlias = tuple[float, float, Callable[[], None]]  # for how long, and what is called how often meanwhile
_PATIENT: _Waiting = (_ANSWER, _ANSWER, lambda: None)
_ALIVE = 10  # seconds until the network is asked whether the other side is still there


class LineBroken(EngineFailed):
    """The pod does not answer."""


class Line:
    """A connection to the program in a pod.

    Args:
        host: the pod's address.
        port: where it listens.
        server_key: its public key, as its log says it.
        keys: this worker's public and secret key.
    """

    def __init__(self, host: str, port: int, server_key: bytes, keys: tuple[bytes, bytes]) -> None:
        self._where = (f"tcp://{host}:{port}", server_key, keys)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._lock = threading.Lock()
        self._socket: zmq.Socket[bytes] | None = None
        self._is_broken = False

    def ask(
        self,
        do: str,
        data: bytes | None = None,
        *,
        within: float = _ANSWER,
        meanwhile: tuple[float, Callable[[], None]] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Ask for something.

        Args:
            do: what.
            data: the content of a file.
            within: seconds for the answer.
            meanwhile: what is called each so many seconds without one; it may raise, and end the waiting.
            **more: what goes with it.

        Raises:
            LineBroken: there is no answer.
            EngineFailed: the answer is that it cannot be done.
        """
        return self._ask(do, data, (within, *(meanwhile or (within, lambda: None))), more)[0]

    def put(self, file: Path, path: str) -> None:
        """Copy a file into the pod."""
        with file.open("rb") as content:
            more = False
            while (part := content.read(_PART)) or not more:
                self.ask("put", part, path=path, more=more)
                more = True

    def get(self, path: str, file: Path) -> None:
        """Copy a file from the pod; it is there as a whole, or not at all."""
        partial, offset = file.with_name(f".{file.name}.partial"), 0
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as content:
                while part := self._ask("get", None, _PATIENT, {"path": path, "offset": offset})[1]:
                    content.write(part)
                    offset += len(part)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        """Close it; who still waits for an answer gets none."""
        with self._lock:
            self._is_broken = True
            if self._socket is not None:
                self._socket.close(linger=0)
                self._socket = None
            self._context.term()

    def _ask(
        self, do: str, data: bytes | None, waiting: _Waiting, more: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        request = [json.dumps({"do": do, **more}).encode(), *([] if data is None else [data])]
        if not self._lock.acquire(timeout=waiting[0]):
            raise LineBroken("the pod has not answered the question before")
        try:
            if self._is_broken:
                raise LineBroken("the pod does not answer any more")
            self._is_broken = True  # a late answer would be taken for that of another question
            said, *content = self._exchange(request, waiting)
            self._is_broken = False
        finally:
            self._lock.release()
        answer: dict[str, Any] = json.loads(said)
        if "error" in answer:
            raise EngineFailed(answer["error"])
        return answer, content[0] if content else b""

    def _exchange(self, request: list[bytes], waiting: _Waiting) -> list[bytes]:
        if self._socket is None:
            self._socket = self._connect()
        within, pause, meanwhile = waiting
        until = time.monotonic() + within
        try:
            self._socket.send_multipart(request)
            while (left := until - time.monotonic()) > 0:
                if self._socket.poll(int(min(left, pause) * 1000)):
                    return self._socket.recv_multipart()
                meanwhile()
        except zmq.ZMQError as error:
            raise LineBroken(f"the pod cannot be reached ({error})") from None
        raise LineBroken(f"the pod did not answer within {within:g} s at {self._where[0]}")

    def _connect(self) -> zmq.Socket[bytes]:
        address, server_key, keys = self._where
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.curve_serverkey = server_key
        socket.curve_publickey, socket.curve_secretkey = keys
        socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, _ALIVE
        socket.connect(address)
        return socket
