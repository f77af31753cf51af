"""Services on loopback that keep what they are sent: any webhook, Slack with its files, and a mail server."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller

from tests.integration.dagster_dev import free_port

HANG = 0
"""An answer that does not come before the server is stopped."""


@dataclass
class Service:
    """A server of webhooks.

    Attributes:
        port: its port.
        answers: statuses of the next answers, in order; 200 when there are none left.
        taken: paths and bodies of the requests that it answered with 200.
        asked: how many requests there were.
    """

    port: int = 0
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """A target of notifications."""
        return f"json://127.0.0.1:{self.port}/hook"

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of JSON that it has taken."""
        return [json.loads(body) for _, body in self.taken]

    def titles(self) -> list[str]:
        """The titles of the messages."""
        return [body["title"] for body in self.bodies()]

    def answer(self, path: str, body: str) -> bytes:
        """What it answers: Slack's words for everything is fine, and the addresses that its client asks for."""
        self.taken.append((path, body))
        if path.startswith("/hooks.slack.com"):
            return b"ok"
        upload = f"http://127.0.0.1:{self.port}/upload"
        known = {"ok": True, "channel": "C0123", "ts": "1.2", "upload_url": upload, "file_id": "F1", "files": []}
        return json.dumps(known).encode()


@contextlib.contextmanager
def service(*answers: int) -> Iterator[Service]:
    """Start a server of webhooks, with its first answers."""
    shown = Service(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
            shown.asked += 1
            status = shown.answers.pop(0) if shown.answers else 200
            if status == HANG:
                shown.stopped.wait()
                return
            answer = shown.answer(self.path, body) if status == 200 else b'{"ok": false}'
            with contextlib.suppress(BrokenPipeError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        shown.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield shown
        finally:
            shown.stopped.set()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def instead_of_the_internet(to: Service) -> Iterator[None]:
    """Have apprise's requests to any https address go to a server here, the host as the first part of the path."""
    import requests

    real = requests.request

    def request(method: str, url: str, **options: Any) -> Any:
        parts = urlsplit(url)
        here = f"http://127.0.0.1:{to.port}/{parts.netloc}{parts.path}"
        return real(method, here if parts.scheme == "https" else url, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "request", request)
        patch.setattr(requests.api, "request", request)
        yield


@dataclass
class Mailbox:
    """A mail server.

    Attributes:
        port: its port.
        mails: what it has taken.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        """A target of notifications."""
        return f"mailto://localhost:{self.port}/ops@example.com?from=nb@example.com&smtp=127.0.0.1"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail."""
        mail: Any = BytesParser(policy=default).parsebytes(envelope.content)
        self.mails.append(mail)
        return "250 OK"


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Start a mail server."""
    box = Mailbox(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def form(body: str) -> dict[str, str]:
    """The fields of a request's body."""
    return {name: values[0] for name, values in parse_qs(body).items()}
