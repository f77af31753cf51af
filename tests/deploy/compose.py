"""``deploy/docker-compose.yaml`` on a real engine, with images that this machine has in place of those of a registry."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import containers
from tests.integration.dagster_dev import free_port
from tests.runs.postgres import needed_programs

DEPLOY = containers.ROOT / "deploy"
DATA = "/var/lib/nb_dagster"
PASSWORD = "a-password-of-the-history"
TOKEN = "a-token-of-the-pages"
POSTGRES = """\
set -e
echo "$POSTGRES_PASSWORD" > /tmp/password
{bin}/initdb -D /tmp/data -U dagster -A scram-sha-256 --pwfile=/tmp/password -N
echo "host all all all scram-sha-256" >> /tmp/data/pg_hba.conf
echo "CREATE DATABASE dagster" | {bin}/postgres --single -D /tmp/data postgres
exec {bin}/postgres -D /tmp/data -h 0.0.0.0 -k /tmp -F
"""


def compose_command() -> list[str]:
    """Docker Compose, of either kind; the test is skipped where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _works(command):
            return command
    pytest.skip("Docker Compose is not installed")


def _works(command: list[str]) -> bool:
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0


@dataclass
class Deployed:
    """A deployment."""

    name: str
    folder: Path
    ports: dict[str, int]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of Compose."""
        return {
            **os.environ,
            "POSTGRES_PASSWORD": PASSWORD,
            "NB_DAGSTER_PAGES_TOKEN": TOKEN,
            "NB_DAGSTER_IMAGE": containers.IMAGE,
            "NB_DAGSTER_MODULE": "deployed",
            "DAGSTER_PORT": str(self.ports["web"]),
            "NB_DAGSTER_PAGES_PORT": str(self.ports["pages"]),
        }

    def compose(self, *arguments: str, timeout: float = 240) -> str:
        """Run a command of Compose."""
        files = ["-f", "docker-compose.yaml", "-f", "override.yaml"]
        command = [*compose_command(), "-p", self.name, *files, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder / "deploy",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        return done.stdout

    @property
    def web(self) -> str:
        """The address of Dagster."""
        return f"http://127.0.0.1:{self.ports['web']}"

    @property
    def pages(self) -> str:
        """The address of the pages."""
        return f"http://127.0.0.1:{self.ports['pages']}"

    @property
    def data(self) -> Path:
        """Its folder of data."""
        return self.folder / "data"

    def containers(self, client: Any) -> list[dict[str, Any]]:
        """Containers on its network, of services and others, that run."""
        return [
            client.api.inspect_container(each["Id"]) for each in client.api.containers(filters={"network": self.name})
        ]


@contextlib.contextmanager
def deployed(project: str) -> Iterator[Deployed]:
    """Bring it up with a project file and the notebooks beside it, and take it down again."""
    binaries = needed_programs()
    folder = Path(tempfile.mkdtemp(prefix="compose-", dir="/tmp"))  # short, as sockets are made in it
    made = Deployed(f"nbdtest{uuid.uuid4().hex[:8]}", folder, {"web": free_port(), "pages": free_port()})
    try:
        _write(made, project, binaries)
        yield made
    finally:
        client = containers.engine()
        for each in made.containers(client):  # also what a test that failed has left
            client.api.remove_container(each["Id"], force=True)
        try:
            made.compose("down", "--volumes", "--timeout", "5")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(made: Deployed, project: str, binaries: Path) -> None:
    shutil.copytree(DEPLOY, made.folder / "deploy")
    for name in ("docker-compose.yaml", "dagster.yaml"):
        path = made.folder / "deploy" / name
        text = path.read_text().replace(DATA, str(made.data))
        text = text.replace("name: nb_dagster  ", f"name: {made.name}  ")
        path.write_text(text.replace("network: nb_dagster\n", f"network: {made.name}\n"))
    code = made.folder / "project"
    code.mkdir()
    (code / "nb_dagster.yaml").write_text(project)
    (code / "deployed.py").write_text(
        "from pathlib import Path\nimport nb_dagster as nbd\n"
        "defs = nbd.NotebookProject.from_yaml(Path(__file__).parent / 'nb_dagster.yaml').build_defs()\n"
    )
    environment = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "PYTHONPATH": f"{code}:{containers.ROOT}"}
    volumes = [f"{each}:{each}:ro" for each in (sys.prefix, str(containers.ROOT), str(code))]
    services: dict[str, Any] = {
        name: {"environment": environment, "volumes": volumes} for name in ("code", "web", "daemon", "pages")
    }
    (made.folder / "deploy/postgres.sh").write_text(POSTGRES.format(bin=binaries))
    services["postgres"] = {
        "image": containers.IMAGE,
        "user": "65534:65534",
        "command": ["/bin/sh", "/postgres.sh"],
        "volumes": ["./postgres.sh:/postgres.sh:ro", *(f"{each}:{each}:ro" for each in ("/usr", "/etc/passwd"))],
        "healthcheck": {"test": ["CMD", f"{binaries}/pg_isready", "-h", "127.0.0.1", "-U", "dagster"]},
    }
    (made.folder / "deploy/override.yaml").write_text(json.dumps({"services": services}))
    settings = made.folder / "deploy/dagster.yaml"
    said = yaml.safe_load(settings.read_text())
    launcher = said["run_launcher"]["config"]
    launcher["env_vars"] += [f"{name}={value}" for name, value in environment.items()]
    launcher["container_kwargs"]["volumes"] += volumes
    settings.write_text(yaml.safe_dump(said))
