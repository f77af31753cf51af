"""Asking Kubernetes' API: with patience or without, and what it says where it says no."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from nb_dagster.kernel.remote import EngineFailed

NOT_FOUND, _SERVER, _TOO_MANY = 404, 500, 429
ANSWER = 15
"""Seconds for an answer."""
AT_ONCE = 3
"""Seconds for an answer that is not waited for longer."""
_AWAY = 60.0
"""Seconds that the API may be away, as in a restart, before what was asked counts as failed."""
_PAUSE = 0.5
_T = TypeVar("_T")


class ApiRefused(EngineFailed):
    """The cluster's API says no.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


def asked(what: Callable[[], _T]) -> _T:
    """What the API answers, over a restart of it too.

    Raises:
        ApiRefused: it says no.
        EngineFailed: it does not answer for a minute.
    """
    from kubernetes.client.exceptions import ApiException

    until = time.monotonic() + _AWAY
    while True:
        try:
            return what()
        except ApiException as error:
            status = int(error.status or 0)
            if status and status < _SERVER and status != _TOO_MANY:
                raise ApiRefused(f"the Kubernetes API says: {first_line(error)}", status) from None
            failed: Exception = error
        except Exception as error:  # of urllib3, of the system's sockets, of TLS
            failed = error
        if time.monotonic() > until:
            raise EngineFailed(f"the Kubernetes API does not answer ({first_line(failed)})") from None
        time.sleep(_PAUSE)


def first_line(error: BaseException) -> str:
    """What an error of the client says, without its headers."""
    body = getattr(error, "body", None)
    try:
        said = str(json.loads(body)["message"]) if body else str(error)
    except (ValueError, KeyError, TypeError):
        said = str(body or error)
    lines = said.strip().splitlines()
    return lines[0][:400] if lines else type(error).__name__


def gone(delete: Callable[..., object], name: str, namespace: str, **more: Any) -> None:
    """Delete an object that may be gone."""
    from kubernetes.client.exceptions import ApiException

    try:
        delete(name, namespace, _request_timeout=AT_ONCE, **more)
    except ApiException as error:
        if error.status != NOT_FOUND:
            raise
