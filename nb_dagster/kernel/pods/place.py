"""A pod for one kernel, which needs no folder in common with its worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.pods.cluster import FOLDER_LABEL, Cluster, of_this_machine
from nb_dagster.kernel.pods.in_pod import CHANNELS
from nb_dagster.kernel.pods.manifest import job, label
from nb_dagster.kernel.pods.process import PodProcess
from nb_dagster.kernel.pods.process import start as start_pod
from nb_dagster.kernel.remote import RemotePlace

_AFTER_DEADLINE = 300.0
"""Seconds after a run's own limit at which the cluster ends its pod, whatever became of the worker."""


@dataclass(frozen=True)
class InPod(RemotePlace):
    """The pod that a kernel is to have.

    Attributes:
        compute: where, and with what; its image is known.
        handed: the folder of what the kernel is handed, which is copied; its subfolder ``files`` takes its files.
        files: the folder that those belong to here.
        name: what it is for.
        labels: what it is found by.
        tell: hears what it waits for.
        timeout: seconds that the run may take.
    """

    compute: Compute
    handed: Path
    files: Path
    name: str
    labels: Mapping[str, str]
    tell: Callable[[str], None]
    timeout: float | None = None
    _given_up: threading.Event = field(default_factory=threading.Event)

    def start(self, folder: Path, command: Sequence[str], *, cwd: str, environment: Mapping[str, str]) -> PodProcess:
        """Start a kernel in it."""
        process = start_pod(
            lambda *made: self._job(*made, folder=folder),
            folder,
            name=self.name,
            namespace=self.compute.namespace,
            start_timeout=self.compute.start_timeout,
            tell=self.tell,
            is_given_up=self._given_up.is_set,
        )
        try:
            connection = folder / Path(command[2]).name
            for file in (connection, *(each for each in self.handed.rglob("*") if each.is_file())):
                process.line.put(file, str(file))
            said = json.loads(connection.read_text(encoding="utf-8"))
            public, secret = (each.decode() for each in zmq.curve_keypair())
            sockets = {name: f"{said['ip']}-{said[f'{name}_port']}" for name in CHANNELS}
            ports = process.begin(
                command[1:],
                cwd=[cwd, str(self.handed)],
                environment={"HOME": str(self.handed), **environment},
                kernel={"curve": [public, secret], "sockets": sockets},
            )
        except BaseException:
            process.remove()
            raise
        keys = {"curve_publickey": public, "curve_secretkey": secret}
        process.connect_by({"transport": "tcp", "ip": process.host, **ports, **keys})
        process.share_files(str(self.handed / "files"), self.files)
        return process

    def give_up(self) -> None:
        """End a start that waits for the pod."""
        self._given_up.set()

    def _job(self, cluster: Cluster, name: str, command: Sequence[str], *, folder: Path) -> dict[str, Any]:
        made = job(
            self.compute,
            name,
            command,
            labels={
                **of_this_machine(),
                "app.kubernetes.io/component": "kernel",
                **{key: label(value) for key, value in self.labels.items()},
            },
            folders=[str(folder), str(self.handed)],
            owner=cluster.owner(),
            deadline=None if self.timeout is None else self.timeout + _AFTER_DEADLINE,
        )
        made["metadata"]["annotations"] = {FOLDER_LABEL: str(folder)}
        return made
