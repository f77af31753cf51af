"""The fork servers that a process may ask for kernels: its own, and those that ``nb-dagster warm`` keeps ready."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from nb_dagster.kernel import warm
from nb_dagster.kernel.folders import private_folder
from nb_dagster.kernel.fork_client import ForkFailed, ForkServer, PreloadRefused, plain_name, read_at_start

SWITCH = "NB_DAGSTER_FORK_SERVER"
"""Set to ``off``, kernels are always spawned."""
IDLE_SECONDS = 900.0
"""A server without kernels ends after this time; the next kernel starts another."""
_WAIT_SECONDS = 60.0
_log = logging.getLogger("nb_dagster")


class _Kind(NamedTuple):
    """What a server can fork."""

    python: str
    preload: tuple[str, ...]
    read_at_start: tuple[str, ...]


class ForkServers:
    """The fork servers of this process, one for each interpreter, set of preloads, and environment at the start.

    A process that starts one kernel never starts a server: that costs more than it saves. The second kernel of a kind
    starts one beside its own spawn, and those after it are forked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders = ExitStack()
        self._starts: dict[_Kind, int] = {}
        self._coming: dict[_Kind, threading.Event] = {}
        self._expected: set[_Kind] = set()
        self._servers: dict[_Kind, ForkServer] = {}
        self._retired: list[ForkServer] = []
        self._refused: set[tuple[str, str]] = set()  # interpreter and module

    def find(
        self, python: str, preload: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> ForkServer | None:
        """A server that is ready; None where there is none yet, or never will be.

        One that was announced by :meth:`expect` is waited for.

        Args:
            python: the kernel's interpreter.
            preload: modules that it is worth being forked with.
            environment: the kernel's; None takes this process's.
        """
        if not _is_possible():
            return None
        key = self._key(python, preload, environment)
        shared = warm.find(python, key.preload, environment)
        if shared is not None:
            return shared
        with self._lock:
            self._starts[key] = self._starts.get(key, 0) + 1
        self._wait(key)
        with self._lock:
            key = self._accepted(key)  # a module may have been refused meanwhile
            server = self._servers.get(key)
            if server is not None and server.is_alive and server.is_fresh:
                return server
            if server is not None:  # an install changed what it imported, or it ended; its kernels go on with it
                self._retire(key)
            if key not in self._coming and self._starts.get(key, 0) > 1:
                self._start(python, key, environment)
            return None

    def _wait(self, key: _Kind) -> None:
        """Wait for a server that is expected, and where it refuses a module, for the one without."""
        while True:
            with self._lock:
                key = self._accepted(key)
                coming = self._coming.get(key) if key in self._expected else None
            if coming is None or coming.is_set() or not coming.wait(_WAIT_SECONDS):
                return

    def _retire(self, key: _Kind) -> None:
        retired = self._servers.pop(key)
        retired.retire()
        self._retired.append(retired)
        self._coming.pop(key, None)
        for server in [each for each in self._retired if not each.is_alive]:
            server.close()
            self._retired.remove(server)

    def expect(self, python: str, preload: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a server now, because many kernels are to come; they wait for it, which is faster than a spawn."""
        key = self._key(python, preload, environment)
        if not _is_possible() or warm.find(python, key.preload, environment) is not None:
            return
        with self._lock:
            self._expected.add(key)
            if key not in self._coming:
                self._start(python, key, environment)

    def close(self) -> None:
        """End all servers, and their kernels."""
        with self._lock:
            servers = [*self._retired, *self._servers.values()]
            self._servers, self._retired, self._coming = {}, [], {}
        for server in servers:
            server.close()
        self._folders.close()

    def _key(self, python: str, preload: Sequence[str], environment: Mapping[str, str] | None) -> _Kind:
        return self._accepted(_Kind(plain_name(python), tuple(sorted(set(preload))), read_at_start(environment)))

    def _accepted(self, key: _Kind) -> _Kind:
        """The kind without modules that were refused."""
        return key._replace(preload=tuple(each for each in key.preload if (key.python, each) not in self._refused))

    def _start(self, python: str, key: _Kind, environment: Mapping[str, str] | None) -> None:
        coming = self._coming[key] = threading.Event()
        arguments = (python, key, environment, coming)
        threading.Thread(target=self._start_now, args=arguments, name="nb_dagster fork server", daemon=True).start()

    def _start_now(
        self, python: str, key: _Kind, environment: Mapping[str, str] | None, coming: threading.Event
    ) -> None:
        try:
            folder = self._folders.enter_context(private_folder())
            server = ForkServer.start(folder, python, key.preload, IDLE_SECONDS, environment=environment)
            with self._lock:
                if self._coming.get(key) is coming:
                    self._servers[key] = server
                    return
            server.close()  # all were ended meanwhile
        except PreloadRefused as refused:
            _log.warning("%s", refused)
            with self._lock:
                self._refused.add((key.python, refused.module))
            if key in self._expected:
                self.expect(python, key.preload, environment)
        except (ForkFailed, OSError) as failed:
            if self._coming.get(key) is coming:
                _log.warning("kernels are spawned, not forked: %s", failed)
        finally:
            coming.set()


FORK_SERVERS = ForkServers()


def _is_possible() -> bool:
    return sys.platform == "linux" and os.environ.get(SWITCH, "").lower() not in ("off", "0", "no", "false")


def _forget_servers() -> None:
    global FORK_SERVERS  # noqa: PLW0603 - they are the parent's
    FORK_SERVERS = ForkServers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_servers)
atexit.register(lambda: FORK_SERVERS.close())  # noqa: PLW0108 - those there are then
