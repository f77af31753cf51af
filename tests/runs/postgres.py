"""A real PostgreSQL on loopback, in a folder of its own, gone when it is over."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dagster_dev import free_port

STARTED_IN = 60.0
_PROGRAMS = ("initdb", "postgres", "pg_isready")


def needed_programs() -> Path:
    """The folder of its programs; the test skips where they are not installed."""
    return programs() or pytest.skip("PostgreSQL is not installed")


def programs() -> Path | None:
    """The folder of its programs; None where they are not installed."""
    paths = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), *map(Path, os.get_exec_path())]
    return next((path for path in paths if all((path / each).exists() for each in _PROGRAMS)), None)


def not_root(folder: str) -> dict[str, Any]:
    """What a process of it is started with, since it refuses to be root; the folder is then its user's."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def serving(command: list[str], folder: str, user: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Its server, which ends with the block; what it says is in ``log`` of the folder."""
    with open(f"{folder}/log", "wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def postgres(binaries: Path, options: Sequence[str] = ()) -> Iterator[str]:
    """Start one, with further options of its server; gives the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="nbd-pg-", ignore_cleanup_errors=True) as folder:
        user = not_root(folder)
        data, port = f"{folder}/data", free_port()
        initdb, server_program = (str(binaries / name) for name in ("initdb", "postgres"))
        run: dict[str, Any] = {"cwd": folder, "capture_output": True, "timeout": STARTED_IN, **user}
        subprocess.run([initdb, "-D", data, "-U", "dagster", "--auth=trust", "-N"], check=True, **run)
        command = [server_program, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F", *options]
        with serving(command, folder, user) as server:
            _wait_until_ready(binaries, server, port)
            yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/postgres"


def _wait_until_ready(binaries: Path, server: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + STARTED_IN
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres"]
    while subprocess.run(ready, check=False).returncode != 0:
        assert server.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.1)
