"""A registry of images on loopback that wants a password; it takes what it is sent, and remembers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

USER, PASSWORD = "ada", "lovelace"
CREDENTIALS = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Registry(ThreadingHTTPServer):
    """The server, with the manifests by name and tag, and the blobs by digest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.upload = b""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def do_GET(self) -> None:
        self._answer(200)

    def do_HEAD(self) -> None:
        blob = self.server.blobs.get(self.path.rsplit("/", 1)[-1])
        self._answer(404) if blob is None else self._answer(200, {"Content-Length": str(len(blob))})

    def do_POST(self) -> None:
        self._body()
        self.server.upload = b""
        self._answer(202, {"Location": f"{self.path.split('?')[0].rstrip('/')}/1"})

    def do_PATCH(self) -> None:
        self.server.upload += self._body()
        self._answer(202, {"Location": self.path, "Range": f"0-{len(self.server.upload) - 1}"})

    def do_PUT(self) -> None:
        body = self._body()
        if match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
            self.server.manifests[f"{match[1]}:{match[2]}"] = body
        else:
            body = self.server.upload + body
            self.server.blobs[f"sha256:{hashlib.sha256(body).hexdigest()}"] = body
        self._answer(201, {"Docker-Content-Digest": f"sha256:{hashlib.sha256(body).hexdigest()}"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        if self.headers.get("Authorization") != f"Basic {CREDENTIALS}":
            status, headers = 401, {"WWW-Authenticate": 'Basic realm="test"'}
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve one."""
    with Registry() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
