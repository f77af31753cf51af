"""A PostgreSQL on this machine that pods reach too, and that asks for a password."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.integration.dagster_dev import free_port
from tests.runs.postgres import not_root, serving
from tests.waiting import wait_until


@contextlib.contextmanager
def reachable_postgres(binaries: Path, password: str, host: str) -> Iterator[int]:
    """Start one; gives its port.

    Args:
        binaries: the folder of its programs.
        password: what it asks for.
        host: the address of this machine for pods.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="deploy-pg-", ignore_cleanup_errors=True) as folder:
        user = not_root(folder)
        options: dict[str, Any] = {"cwd": folder, "capture_output": True, "timeout": 60, **user}
        secret = Path(folder) / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        data = f"{folder}/data"
        initdb = [f"{binaries}/initdb", "-D", data, "-U", "dagster", "-A", "scram-sha-256", f"--pwfile={secret}", "-N"]
        subprocess.run(initdb, check=True, **options)
        with open(f"{data}/pg_hba.conf", "a", encoding="ascii") as access:
            access.write("host all all 172.16.0.0/12 scram-sha-256\n")
        single = [f"{binaries}/postgres", "--single", "-D", data, "postgres"]
        subprocess.run(single, input=b"CREATE DATABASE dagster\n", check=True, **options)
        listen = ["-p", str(port), "-h", f"127.0.0.1,{host}", "-k", folder, "-F"]
        with serving([f"{binaries}/postgres", "-D", data, *listen], folder, user):
            ready = [f"{binaries}/pg_isready", "-q", "-h", host, "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 60)
            yield port
