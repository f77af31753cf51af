"""Dagster's GraphQL API: of a running web server, or of a workspace that is loaded here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from nb_dagster.errors import RunRefused

if TYPE_CHECKING:
    import dagster as dg

_SECONDS = 60


class Unreachable(Exception):
    """Dagster does not answer, or not as Dagster does."""


class Dagster(Protocol):
    """Something that answers Dagster's GraphQL."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to a query.

        Raises:
            Unreachable: there is none.
            RunRefused: it is not for this user.
        """


class Server:
    """The web server of a running Dagster.

    Args:
        url: its address, such as ``http://127.0.0.1:3000``; with the path prefix where it has one.
        token: sent as a bearer token, as a proxy before the server may want it, and as Dagster+ has it.

    Raises:
        RunRefused: the address is none.

    Example:
        >>> Server("http://127.0.0.1:3000").query("{ version }")
        {'version': '1.13.27'}
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RunRefused(f"{url!r} is no address of a Dagster; write it as http://127.0.0.1:3000")
        self.name = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Dagster-Cloud-Api-Token": token} if token else {}

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to a query."""
        import requests

        try:
            answer = requests.post(
                f"{self.name}/graphql",
                json={"query": query, "variables": variables},
                headers=self._headers,
                timeout=_SECONDS,
                allow_redirects=False,  # to a page for logging in, which would be sent the token
            )
        except requests.RequestException as error:
            raise Unreachable(f"no Dagster answers at {self.name} ({type(error).__name__})") from None
        if answer.status_code in (401, 403):
            how = (
                "does not accept this token"
                if self._headers
                else "wants a token; give it with --token or DAGSTER_TOKEN"
            )
            raise RunRefused(f"{self.name} {how} (HTTP {answer.status_code})")
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict) or not {"data", "errors"} & set(said):
            raise Unreachable(f"what answers at {self.name} is no Dagster (HTTP {answer.status_code})")
        return _data(self.name, said)


class _Workspace:
    def __init__(self, name: str, context: Any) -> None:
        self.name, self._context = name, context

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        from dagster_graphql.cli import execute_query

        return _data(self.name, execute_query(self._context, query, variables))


@contextmanager
def open_workspace(instance: dg.DagsterInstance, path: Path) -> Iterator[Dagster]:
    """The same answers without a web server: from the history, and from definitions that are loaded for it.

    Args:
        instance: the history, and the states of schedules.
        path: a ``workspace.yaml``.

    Raises:
        RunRefused: there is no such file, or ``dagster-graphql`` is not installed.
    """
    if not path.is_file():
        raise RunRefused(f"there is no {path} in this folder; give the address of a running Dagster with --url")
    try:
        import dagster_graphql  # noqa: F401 - looked for before the definitions are loaded, which takes seconds
    except ImportError:
        raise RunRefused("without --url this needs dagster-graphql: pip install 'nb_dagster[ui]'") from None
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(path)])) as context:
        yield _Workspace(str(path), context)


def _data(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    errors = answer.get("errors")
    if errors:
        raise Unreachable(f"{name} cannot answer ({errors[0].get('message', errors[0])})")
    found: dict[str, Any] = answer["data"]
    return found


def refuse_error(name: str, answer: dict[str, Any]) -> None:
    """Raise where an answer is one of Dagster's errors.

    Raises:
        RunRefused: in Dagster's words.
    """
    if answer["__typename"].endswith(("Error", "NotFound", "Conflict")):
        words = str(answer.get("message") or answer["__typename"]).strip().splitlines()[0]
        raise RunRefused(f"{name}: {words}")
