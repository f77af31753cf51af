"""JupyterLab as a process of its own, here or in a container, which ends with the process that asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.containers.engine import PROGRAM as STARTER
from nb_dagster.kernel.containers.process import ContainerProcess, InContainer, start
from nb_dagster.kernel.folders import LOCK, private_folder
from nb_dagster.kernel.remote import EngineFailed
from nb_dagster.lab.session import Session

PROGRAM = Path(__file__).with_name("program.py")
NOT_INSTALLED = 77
"""The program's exit code where there is no JupyterLab."""
_STARTED_IN = 120.0
_STOPPED_IN = 10.0
_PAUSE = 0.1
_Process: TypeAlias = "subprocess.Popen[bytes] | ContainerProcess"


class LabEnded(OSError):
    """JupyterLab did not start, or ended by itself; the message has its last words."""


@dataclass(frozen=True)
class LabServer:
    """A JupyterLab that runs.

    Attributes:
        url: the address of the notebook, with the token.
        process: its process.
        log: the file with what it says.
    """

    url: str
    process: _Process
    log: Path

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            LabEnded: it did not end well.
        """
        if self.process.wait():
            raise LabEnded(f"JupyterLab {_how(self.process, self.log)}")


@contextlib.contextmanager
def serve(session: Session, port: int | None) -> Iterator[LabServer]:
    """Start JupyterLab on a session, for this machine only and with a random token; it is gone after the block.

    Args:
        session: what it opens.
        port: the port on 127.0.0.1; None takes a free one.

    Raises:
        RunRefused: the port is taken, or there is no JupyterLab.
        EngineFailed: the engine does not make its container.
        LabEnded: it did not start.
    """
    port, token = _free(port), secrets.token_urlsafe(32)
    with private_folder() as folder:
        process = _start(session, folder, port, token)
        try:
            _await(session, process, port, folder / "kernel.log")
            url = f"http://127.0.0.1:{port}/lab/tree/{quote(session.notebook)}?token={token}"
            yield LabServer(url, process, folder / "kernel.log")
        finally:
            _stop(process)


def _start(session: Session, folder: Path, port: int, token: str) -> _Process:
    own_network = session.container is not None and session.container.compute.network != "host"
    settings = {
        "ip": "0.0.0.0" if own_network else "127.0.0.1",  # noqa: S104 - of the container, whose port is published on loopback
        "port": port,
        "token": token,
        "root": str(session.folder),
        "cwd": str(session.cwd),
        "spare": str(session.spare),
    }
    secret = {"NB_DAGSTER_LAB": json.dumps(settings)}
    jupyter = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME")}
    program = str(shutil.copy(PROGRAM, folder))
    if session.container is not None:
        asked = _published(session.container, port if own_network else None)
        environment = {**session.environment, **jupyter}
        return start(asked, folder, ["python", program], cwd=str(session.cwd), environment=environment, secret=secret)
    command = [sys.executable, str(STARTER), str(folder / LOCK), "python", program]
    with open(folder / "kernel.log", "wb") as log:
        return subprocess.Popen(
            command,
            env={**session.environment, **jupyter, **secret},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C is for us, who stop it without a question
        )


def _published(container: InContainer, port: int | None) -> InContainer:
    if container.compute.network == "none":
        raise RunRefused("compute: network none leaves no way to JupyterLab; give it a network, or leave network out")
    return replace(container, ports={} if port is None else {port: port})


def _free(port: int | None) -> int:
    """A port that can be listened on.

    Raises:
        RunRefused: it is taken.
    """
    try:
        with socket.create_server(("127.0.0.1", port or 0)) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise RunRefused(
            f"127.0.0.1:{port} cannot be listened on ({os.strerror(error.errno or 0)}); name another port"
        ) from None


def _await(session: Session, process: _Process, port: int, log: Path) -> None:
    """Wait until it answers."""
    import requests

    give_up = time.monotonic() + _STARTED_IN
    while time.monotonic() < give_up:
        code = process.poll()
        if code == NOT_INSTALLED:
            raise RunRefused(_not_installed(session))
        if code is not None:
            raise LabEnded(f"JupyterLab did not start: it {_how(process, log)}")
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/api", timeout=1).ok:
                return
        time.sleep(_PAUSE)
    raise LabEnded(f"JupyterLab does not answer after {_STARTED_IN:.0f} seconds")


def _not_installed(session: Session) -> str:
    if session.container is None:
        return "lab needs JupyterLab: pip install 'nb_dagster[lab]'"
    return f"the image {session.container.image!r} has no JupyterLab; add jupyterlab to packages of its runtime, and build it"


def _how(process: _Process, log: Path) -> str:
    if isinstance(process, ContainerProcess):
        return process.how_it_ended()
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"ended with exit code {process.poll()}" + (f": {said[-1][:300]}" if said else "")


def _stop(process: Any) -> None:
    """End it and its kernels."""
    process.terminate()
    try:
        process.wait(_STOPPED_IN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOPPED_IN)
    if isinstance(process, ContainerProcess):
        process.remove()


__all__ = ["EngineFailed", "LabEnded", "LabServer", "serve"]
