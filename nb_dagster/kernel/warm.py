"""Fork servers that outlive the process that started them, for all processes of one user: ``nb-dagster warm``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb_dagster.kernel.fork_client import ForkFailed, ForkServer, plain_name, read_at_start
from nb_dagster.kernel.locks import lock

_DESCRIPTION = "server.json"
_LONGEST_PARENT = 50  # AF_UNIX allows paths of 107 bytes


@dataclass(frozen=True)
class WarmServer:
    """A shared fork server and what it is for.

    Attributes:
        python: the interpreter of its kernels.
        preload: modules that it has imported.
        server: the server.
    """

    python: str
    preload: tuple[str, ...]
    server: ForkServer


def find(python: str, preload: Sequence[str], environment: Mapping[str, str] | None = None) -> ForkServer | None:
    """The shared server of a kind, if there is one whose imports are still what is on disk.

    Args:
        python: the interpreter of its kernels.
        preload: the modules it must have imported, no more and no less.
        environment: of the kernel, whose part that is read at the start must be the server's; None takes this process's.
    """
    warm = _read(_folder(python, preload, environment))
    return warm.server if warm is not None and warm.server.is_fresh and warm.server.is_alive else None


def start(python: str, preload: Sequence[str], idle: float) -> ForkServer:
    """The shared server of a kind; started where there is none, or where its imports are old.

    Args:
        python: the interpreter of its kernels.
        preload: modules that it imports.
        idle: seconds without any kernel after which it ends by itself.

    Raises:
        PreloadRefused: a module cannot be imported before a fork.
        ForkFailed: it did not come up, or its folder is not this user's alone.
    """
    home = _home()
    home.mkdir(mode=0o700, exist_ok=True)
    _check_private(home)
    with open(home / ".lock", "w", encoding="utf-8") as file:
        lock(file.fileno())
        running = find(python, preload)
        if running is not None:
            return running
        folder = _folder(python, preload)
        _stop(folder)
        folder.mkdir(mode=0o700)
        try:
            server = ForkServer.start(folder, python, preload, idle, shared=True)
        except ForkFailed:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        about = {
            "python": plain_name(python),
            "preload": sorted(preload),
            "pid": server.pid,
            "watched": dict(server.watched),
        }
        (folder / _DESCRIPTION).write_text(json.dumps(about), encoding="utf-8")
        return server


def all_servers() -> Iterator[WarmServer]:
    """The shared servers that are running."""
    for folder in sorted(_home().glob("*/")):
        warm = _read(folder)
        if warm is not None and warm.server.is_alive:
            yield warm


def stop_all() -> int:
    """Tell all shared servers to end when their kernels have; returns how many there were."""
    count = len(list(all_servers()))
    for folder in _home().glob("*/"):
        _stop(folder)
    return count


def _read(folder: Path) -> WarmServer | None:
    try:
        about = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        _check_private(folder)
        server = ForkServer(folder, int(about["pid"]), dict(about["watched"]))
        return WarmServer(str(about["python"]), tuple(about["preload"]), server)
    except (OSError, ValueError, KeyError, TypeError, ForkFailed):  # another version's, or half written
        return None


def _stop(folder: Path) -> None:
    warm = _read(folder)
    if warm is not None and warm.server.is_alive:
        warm.server.retire()
    shutil.rmtree(folder, ignore_errors=True)


def _folder(python: str, preload: Sequence[str], environment: Mapping[str, str] | None = None) -> Path:
    kind = json.dumps([plain_name(python), sorted(preload), read_at_start(environment)])
    return _home() / hashlib.sha256(kind.encode()).hexdigest()[:16]


def _home() -> Path:
    """The same folder for all processes of a user, short enough for sockets."""
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")  # noqa: S108 - see _check_private
    fitting = next(each for each in candidates if os.path.isdir(each) and len(each) <= _LONGEST_PARENT)
    return Path(fitting) / f"nb-dagster-{os.getuid()}"


def _check_private(folder: Path) -> None:
    """Whoever can write here can run code as this user."""
    state = folder.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink():
        raise ForkFailed(f"{folder} must be a folder of this user alone (mode 700)")
