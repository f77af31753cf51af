"""A JupyterLab that ``nb-dagster lab`` has started, as a browser talks to it."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import websocket

from tests.cli import command


@dataclass
class Jupyter:
    """One that runs."""

    process: subprocess.Popen[str]
    url: str
    folder: Path
    notebook: str

    @property
    def host(self) -> str:
        """Its address and port."""
        return urlsplit(self.url).netloc

    @property
    def token(self) -> str:
        """Its token."""
        return parse_qs(urlsplit(self.url).query)["token"][0]

    def get(self, path: str, token: str | None) -> int:
        """The status of a request."""
        headers = {} if token is None else {"Authorization": f"token {token}"}
        return requests.get(f"http://{self.host}{path}", headers=headers, timeout=30, allow_redirects=False).status_code

    def run(self, *more: str) -> str:
        """Run the opened notebook in a kernel of it, and other code behind it; gives what it printed."""
        headers = {"Authorization": f"token {self.token}"}
        content = requests.get(f"http://{self.host}/api/contents/{self.notebook}", headers=headers, timeout=30).json()
        sources = [cell["source"] for cell in content["content"]["cells"] if cell["cell_type"] == "code"]
        session = {"path": self.notebook, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        made = requests.post(f"http://{self.host}/api/sessions", headers=headers, json=session, timeout=60)
        assert made.status_code == 201, made.text
        channel = f"ws://{self.host}/api/kernels/{made.json()['kernel']['id']}/channels"
        socket = websocket.create_connection(channel, header=headers, timeout=60)
        try:
            return "".join(_execute(socket, source) for source in (*sources, *more))
        finally:
            socket.close()


def _execute(socket: Any, source: str) -> str:
    asked = str(uuid.uuid4())
    header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked, "version": "5.3"}
    content = {"code": source, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(message))
    said = ""
    while True:
        answer = json.loads(socket.recv())
        if answer.get("parent_header", {}).get("msg_id") != asked:
            continue
        kind = answer["header"]["msg_type"]
        if kind == "stream":
            said += answer["content"]["text"]
        elif kind == "error":
            said += f"{answer['content']['ename']}: {answer['content']['evalue']}\n"
        elif kind == "status" and answer["content"]["execution_state"] == "idle":
            return said


@contextmanager
def lab(folder: Path, *arguments: str) -> Iterator[Jupyter]:
    """Start one in a folder, and stop it as Ctrl-C does."""
    process = command.start("lab", *arguments, "--json", cwd=folder)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        said = json.loads(line)
        yield Jupyter(process, said["url"], Path(said["folder"]), said["notebook"])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
