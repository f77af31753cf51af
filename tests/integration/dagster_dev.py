"""A real ``dagster dev`` on a copy of the example project: web server, daemon and code server, gone when it is over."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

LOCATION = "example_project"
STARTED_IN = 90.0
"""Seconds in which the web server shows the example's definitions."""
STOPPED_IN = 20.0
"""Seconds in which all processes end when they are told to; they are killed then."""
RUN_ENDED_IN = 180.0
"""Seconds in which the longest run ends."""
SETTINGS = """\
telemetry:
  enabled: false
nux:  # asks newcomers for their e-mail address
  enabled: false
"""
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class DagsterDev:
    """A running ``dagster dev``.

    Attributes:
        folder: the project, and the working directory of all processes.
        home: ``DAGSTER_HOME``.
        url: address of the web server.
    """

    folder: Path
    home: Path
    url: str

    @property
    def store(self) -> Path:
        """Where executed notebooks are."""
        return self.folder / ".nb_dagster" / "notebooks"

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Dagster's command line in the project, as a person would in a second terminal."""
        return subprocess.run(
            [sys.executable, "-m", "dagster", *arguments],
            check=False,
            cwd=self.folder,
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=RUN_ENDED_IN,
        )

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask Dagster's GraphQL API."""
        return _query(self.url, query, variables)

    def run(self, job: str, parameters: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """Launch a run, and wait for its end; the same as :meth:`launch` otherwise."""
        run_id = self.launch(job, parameters)
        self.wait(run_id)
        return run_id

    def launch(self, job: str, parameters: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """Launch a run, as the launchpad does.

        Args:
            job: the job's name.
            parameters: by op.

        Returns:
            The run's id.
        """
        answer = self.query(
            """
            mutation($parameters: ExecutionParams!) {
              launchRun(executionParams: $parameters) {
                __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                ... on RunConfigValidationInvalid { errors { message } }
              }
            }
            """,
            parameters={
                "selector": {
                    "repositoryLocationName": LOCATION,
                    "repositoryName": "__repository__",
                    "jobName": job,
                },
                "runConfigData": {"ops": {op: {"config": values} for op, values in (parameters or {}).items()}},
            },
        )["launchRun"]
        assert "run" in answer, answer
        return str(answer["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        """Cancel a run, as its page does."""
        answer = self.query("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
        assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer

    def wait(self, run_id: str) -> str:
        """Wait for the end of a run; returns its status."""
        give_up = time.monotonic() + RUN_ENDED_IN
        while (status := self.status(run_id)) not in _ENDED:
            assert time.monotonic() < give_up, f"run {run_id} is {status} after {RUN_ENDED_IN:.0f} s"
            time.sleep(0.5)
        return status

    def status(self, run_id: str) -> str:
        """The status of a run; empty where there is none of that id."""
        answer = self.query("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
        return str(answer["runOrError"].get("status", ""))


@contextlib.contextmanager
def dagster_dev(folder: Path, home: Path, pages_port: int | None = None) -> Iterator[DagsterDev]:
    """Start ``dagster dev`` in a project; whatever happens in the block, none of its processes is left behind it.

    Args:
        folder: a project with a ``workspace.yaml``.
        home: an empty folder for ``DAGSTER_HOME``.
        pages_port: where given, ``nb-dagster dev`` is started, which serves pages there.
    """
    (home / "dagster.yaml").write_text(SETTINGS)
    port = free_port()
    command = ["dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    if pages_port is not None:
        command = ["nb_dagster.cli", "dev", "--port", str(port), "--pages-port", str(pages_port)]
    with open(home / "dev.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        dev = DagsterDev(folder, home, f"http://127.0.0.1:{port}")
        _wait_until_started(dev, process)
        yield dev
    finally:
        _stop(process, home)


def environment(home: Path) -> dict[str, str]:
    """The environment of every process of one Dagster."""
    return {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


def processes_of(home: Path) -> list[psutil.Process]:
    """The living processes of one Dagster, kernels included: they all inherit its home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("DAGSTER_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _wait_until_started(dev: DagsterDev, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + STARTED_IN
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if loaded := _loaded_location(dev):
                assert loaded["__typename"] == "RepositoryLocation", loaded["message"]
                return
        log = (dev.home / "dev.log").read_text(errors="replace")
        assert process.poll() is None, f"dagster dev ended: {log}"
        assert time.monotonic() < give_up, f"dagster dev did not start in {STARTED_IN:.0f} s: {log}"
        time.sleep(0.5)


def _loaded_location(dev: DagsterDev) -> dict[str, Any] | None:
    """The example's code location, or the error that it has; None while it is loading."""
    answer = dev.query(
        """
        { workspaceOrError { ... on Workspace { locationEntries {
            locationOrLoadError { __typename ... on PythonError { message } }
        } } } }
        """
    )
    entries = answer["workspaceOrError"].get("locationEntries", [])
    return next((entry["locationOrLoadError"] for entry in entries), None)


def _stop(process: subprocess.Popen[bytes], home: Path) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOPPED_IN)
    left = processes_of(home)
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(left, timeout=STOPPED_IN)
    process.wait(STOPPED_IN)
    survivors = processes_of(home)
    assert not survivors, survivors


def _query(url: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert not answer.get("errors"), answer["errors"]
    found: dict[str, Any] = answer["data"]
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
