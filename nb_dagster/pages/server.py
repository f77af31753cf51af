"""A server of pages: uvicorn on one address, until it is told to end."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

import uvicorn

from nb_dagster.errors import RunRefused
from nb_dagster.pages.app import make_app

_SHUTDOWN = 3
"""Seconds that requests have to end."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        RunRefused: the address is taken, or is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise RunRefused(f"{host} is no address of this machine; name another host") from None
    except OSError as error:
        raise RunRefused(
            f"{host}:{port} cannot be listened on ({os.strerror(error.errno or 0)}); name another port"
        ) from None


def run_server(listener: socket.socket, store: str, *, host: str, token: str | None, with_stdin: bool = False) -> None:
    """Serve a store's pages until Ctrl-C or SIGTERM.

    Args:
        listener: from :func:`listen`.
        store: the store's folder or URL.
        host: the name that the server is reached by.
        token: what every request has to bring; None lets in everybody who reaches the server.
        with_stdin: also end when standard input does: when the process that holds its other end is gone.
    """
    config = uvicorn.Config(
        make_app(store, host=host, token=token),
        log_level="warning",
        access_log=False,  # it would have the token
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_SHUTDOWN,
    )
    server = uvicorn.Server(config)
    if with_stdin:
        threading.Thread(target=_end_with_stdin, args=[server], daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _end_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
