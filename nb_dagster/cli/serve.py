"""``nb-dagster serve``: the pages of executed notebooks over HTTP."""

from __future__ import annotations

import json
import secrets
import sys
from typing import NoReturn

import click

from nb_dagster.cli.refusals import usage_errors
from nb_dagster.errors import RunRefused

_MIN_TOKEN = 16


@click.command(short_help="Serve the pages of executed notebooks.")
@click.option("--store", metavar="DIR_OR_URL", help="Where they are kept.  [default: .nb_dagster/notebooks]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=3030, show_default=True, help="0 takes a free one.")
@click.option("--token", envvar="NB_DAGSTER_PAGES_TOKEN", help="What every request has to bring; beyond this machine one is made where none is given.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print address and store as one JSON object on standard output.")
@click.option("--with-stdin", is_flag=True, hidden=True)
def serve(*, store: str | None, host: str, port: int, token: str | None, as_json: bool, with_stdin: bool) -> NoReturn:
    """Serve the pages of executed notebooks, until Ctrl-C.

    Scripts in outputs run without an origin: they reach neither Dagster nor anything else. By default only this machine
    can connect. On any other address a token is needed: once as ?token=..., or in each request as Authorization: Bearer.

    \b
    Example:
      nb-dagster serve
      nb-dagster serve --store s3://bucket/notebooks --host 0.0.0.0 --port 8080
    """
    from nb_dagster.store.notebooks import DEFAULT_ROOT

    store = store or DEFAULT_ROOT
    with usage_errors():
        token = _token(host, token)
        try:
            from nb_dagster.pages.server import listen, run_server
        except ImportError as missing:
            raise RunRefused(f"pages need {missing.name}: pip install 'nb_dagster[ui]'") from None
        listener = listen(host, port)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")
    click.echo(json.dumps({"url": url, "store": store}) if as_json else f"pages of {store}: {url}")
    run_server(listener, store, host=host, token=token, with_stdin=with_stdin)
    sys.exit(0)


def _token(host: str, given: str | None) -> str | None:
    """The token that requests have to bring; None where only this machine can connect and none was asked for.

    Raises:
        RunRefused: it is one that can be guessed, or that no address can carry.
    """
    if given is None:
        return None if host in ("127.0.0.1", "localhost", "::1") else secrets.token_urlsafe(32)
    if len(given) < _MIN_TOKEN or not given.isascii() or not given.replace("-", "").replace("_", "").isalnum():
        raise RunRefused(f"--token has to be {_MIN_TOKEN} or more letters, digits, - and _; leave it out to get one")
    return given
