"""What commands that need a running Dagster say where none answers them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.command import nb_dagster
from tests.integration.dagster_dev import free_port


class _Other(BaseHTTPRequestHandler):
    """A server before Dagster that wants a token, or none of it at all."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        is_guarded = self.path.startswith("/guarded")
        self.send_response(401 if is_guarded else 302 if self.path.startswith("/login") else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", [("launch", "train"), ("schedule", "list")])
def test_no_server_exits_with_5(tmp_path: Path, command: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = nb_dagster(*command, "--url", url, cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr == f"nb-dagster: no Dagster answers at {url} (ConnectionError)\n"


@pytest.mark.parametrize("path", ["", "/login"])
def test_a_server_that_is_no_dagster_exits_with_5(tmp_path: Path, other: str, path: str) -> None:
    done = nb_dagster("launch", "train", "--url", other + path, cwd=tmp_path)
    assert done.returncode == 5
    assert f"what answers at {other}{path} is no Dagster" in done.stderr


def test_a_token_that_is_wanted_or_wrong_exits_with_2(tmp_path: Path, other: str) -> None:
    without = nb_dagster("launch", "train", "--url", f"{other}/guarded", cwd=tmp_path)
    assert without.returncode == 2
    assert "wants a token; give it with --token or DAGSTER_TOKEN (HTTP 401)" in without.stderr
    wrong = nb_dagster("launch", "train", "--url", f"{other}/guarded", "--token", "wrong", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "does not accept this token (HTTP 401)" in wrong.stderr
    assert '"wrong"' not in wrong.stderr


def test_an_address_that_is_none_exits_with_2(tmp_path: Path) -> None:
    done = nb_dagster("launch", "train", "--url", "localhost:3000", cwd=tmp_path)
    assert done.returncode == 2
    assert "'localhost:3000' is no address of a Dagster; write it as http://127.0.0.1:3000" in done.stderr
