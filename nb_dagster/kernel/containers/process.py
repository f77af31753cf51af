"""A container, as its worker sees it: a process that is started, stopped, and says how it ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.containers.engine import FOLDER_LABEL, PROGRAM, create, engine, first_line, mounts, remove
from nb_dagster.kernel.folders import LOCK
from nb_dagster.kernel.memory import OUT_OF_MEMORY, Memory
from nb_dagster.kernel.remote import EngineFailed, RemoteMemory, RemotePlace, RemoteProcess, exit_code

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_KILLED = 128 + signal.SIGKILL  # as an engine says it
_LAST_LINES = 20
_NOT_FOUND = 404
_PAUSE = 0.2
SECRET_FILE = "environment.json"  # noqa: S105 - a file's name
"""A file in a private folder: variables for what is started there; it is gone when that has read it."""
_ENGINE_IS_BACK = 30.0
"""Seconds that an engine may be away, as in a restart, before what it ran counts as gone."""
_REFUSED = 5.0
"""Seconds within which one that is away has refused a question."""
_FIND_PYTHON = """\
python=$(command -v python3 || command -v python) || { echo "the image has no Python on its PATH" >&2; exit 127; }
exec "$python" "$0" "$@"
"""


@dataclass(frozen=True)
class InContainer(RemotePlace):
    """The container that a kernel or step is to have.

    Attributes:
        image: its image.
        compute: what it may use.
        folders: folders of this machine that it sees where they are.
        labels: what it is found by.
        ports: ports of it that are ports of this machine too, for this machine only.
    """

    image: str
    compute: Compute
    folders: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)

    def start(
        self, folder: Path, command: Sequence[str], *, cwd: str, environment: Mapping[str, str]
    ) -> ContainerProcess:
        """Start a kernel in it."""
        return start(self, folder, command, cwd=cwd, environment=environment)

    def give_up(self) -> None:
        """An engine makes a container at once, or not at all."""


class ContainerProcess(RemoteProcess):
    """A container.

    Args:
        container: a container that was not started yet; it starts now.
        folder: its private folder, where its last words are written.

    Raises:
        EngineFailed: it cannot be started.
    """

    _requests = ThreadPoolExecutor(thread_name_prefix="docker")

    def __init__(self, container: DockerContainer, folder: Path) -> None:
        super().__init__()
        self.container, self._folder, self._last_line = container, folder, ""
        try:
            container.start()
            container.reload()
        except Exception as error:
            self.remove()
            raise EngineFailed(f"the engine {_why_not(first_line(error))}") from None
        self.pid = int(container.attrs["State"]["Pid"])
        threading.Thread(target=self._watch, name=f"docker-{container.short_id}", daemon=True).start()

    def memory(self) -> Memory:
        """Its memory, as this machine's process table says it."""
        return RemoteMemory(self)

    def remove(self) -> None:
        """Remove it, and end it where it still runs."""
        remove(engine(), str(self.container.id))

    def _signal(self, number: int) -> None:
        if not self.ended.done():
            with contextlib.suppress(Exception):  # it has just ended
                self.container.kill(signal.Signals(number).name)

    def _watch(self) -> None:
        """Wait for its end, over restarts of the engine too."""
        state: dict[str, Any] = {"ExitCode": _KILLED}
        give_up = math.inf
        while (asked := time.monotonic()) < give_up:
            try:
                self.container.wait(timeout=None)
                self.container.reload()
                state = self.container.attrs["State"]
                break
            except Exception as error:
                if getattr(getattr(error, "response", None), "status_code", 0) == _NOT_FOUND:
                    break  # somebody removed it
                now = time.monotonic()
                if give_up == math.inf or now - asked > _REFUSED:  # it was there until now
                    give_up = now + _ENGINE_IS_BACK
                time.sleep(_PAUSE)
        self._end(state)

    def bring(self, name: str) -> None:
        """The folder of the run's files is the same here and there."""

    def cause_of_death(self) -> None:
        """Its exit code says all."""

    def how_it_ended(self) -> str:
        """How it ended, in words."""
        code = self.wait()
        if self.is_out_of_memory:
            return f"{OUT_OF_MEMORY} in its container, and the system killed it"
        said = f": {self._last_line}" if self._last_line else ""
        if code < 0:
            return f"was killed with its container by {signal.Signals(-code).name}{said}"
        return f"ended with exit code {code} in its container{said}"

    def _end(self, state: dict[str, Any]) -> None:
        self.is_out_of_memory = bool(state.get("OOMKilled"))
        with contextlib.suppress(Exception):
            said = self.container.logs(stdout=False, stderr=True, tail=_LAST_LINES)
            self._last_line = next(reversed(said.decode(errors="replace").strip().splitlines()), "")[:300]
            (self._folder / "kernel.log").write_bytes(said)
        self.ended.set_result(exit_code(int(state["ExitCode"])))


def _why_not(said: str) -> str:
    """Why a container is not started, in words."""
    if "capabilities: [[gpu]]" in said:
        return f"has no GPUs for containers, and one asks for them; the NVIDIA Container Toolkit gives it some ({said})"
    return f"does not start a container ({said})"


def start(
    asked: InContainer,
    folder: Path,
    command: Sequence[str],
    *,
    cwd: str,
    environment: Mapping[str, str],
    secret: Mapping[str, str] | None = None,
) -> ContainerProcess:
    """Start a command in a container that ends when this process is gone.

    Args:
        asked: the container.
        folder: a private folder of this process, as :func:`~nb_dagster.kernel.folders.private_folder` gives it.
        command: ``kernel NAME CONNECTION_FILE …``, ``command PROGRAM …``, or ``python FILE …``.
        cwd: the working directory.
        environment: variables that are set in it.
        secret: variables that only the command sees, and nobody who may ask the engine.

    Raises:
        EngineFailed: the engine does not do it.
    """
    program = Path(shutil.copy(PROGRAM, folder))
    if secret:
        with open(os.open(folder / SECRET_FILE, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(dict(secret), file)
    container = create(
        asked.image,
        ["/bin/sh", "-c", _FIND_PYTHON, str(program), str(folder / LOCK), *command],
        asked.compute,
        name=f"nb_dagster-{folder.name}",
        labels={FOLDER_LABEL: str(folder), **asked.labels},
        environment={"HOME": str(folder), **environment, **asked.compute.env},
        mounts=mounts(asked.compute, folder, *asked.folders),
        ports={f"{inner}/tcp": ("127.0.0.1", outer) for inner, outer in asked.ports.items()},
        working_dir=cwd,
    )
    return ContainerProcess(container, folder)
