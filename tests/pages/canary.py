"""A server that plays Dagster's: it notes everything that reaches its origin, and shows a saved page where it is asked to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Canary:
    """What reached an origin.

    Attributes:
        url: the origin.
        pages: pages that it shows, by path; requests for them are not noted.
        heard: every other request.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pages: dict[str, str] = {"/": "<title>Dagster</title>"}
        self.heard: list[str] = []

    def take(self) -> list[str]:
        """What was noted since the last time."""
        found, self.heard = self.heard, []
        return found


@contextlib.contextmanager
def start_canary() -> Iterator[Canary]:
    """Start it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def answer(self) -> None:
            if self.path in canary.pages:
                body = canary.pages[self.path].encode()
            else:
                canary.heard.append(f"{self.command} {self.path}")
                body = b"console.log('RAN')" if self.path.endswith(".js") else b"x"
            self.send_response(200)
            kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = do_HEAD = do_PUT = answer  # noqa: N815 - the names that the server calls

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # browsers keep some ready, and drop them
                super().handle()

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    canary = Canary(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield canary
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
