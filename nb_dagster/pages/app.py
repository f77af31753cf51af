"""The pages of a store over HTTP: lists of runs, the page of each, its notebook and files for download."""

from __future__ import annotations

import threading
from datetime import datetime, time, timezone
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.pages import lists
from nb_dagster.pages.guard import Guard
from nb_dagster.pages.header import Header, header_of
from nb_dagster.pages.normal import read_notebook
from nb_dagster.pages.page import live_page, render, static_page
from nb_dagster.pages.shelf import NotFound, Shelf
from nb_dagster.store.attempts import Attempt, find_attempt

MAX_NOTEBOOK = 50_000_000
"""Bytes of a notebook up to which a page is made of it."""
LIVE_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; "
    "frame-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of a page with scripts: they have no origin, and reach nothing."""
_rendering = threading.Semaphore(2)  # a page of a big notebook takes ten times its size while it is made


def make_app(store: str, *, host: str = "127.0.0.1", token: str | None = None) -> ASGIApp:
    """The ASGI application that serves a store's pages.

    Args:
        store: the store's folder or URL.
        host: the address that it is served on.
        token: what every request has to bring; None lets in everybody who reaches the server.

    Example:
        >>> uvicorn.run(make_app(".nb_dagster/notebooks"), host="127.0.0.1", port=3030)
    """
    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/{workflow}/", _workflow),
            Route("/{workflow}/latest", _latest),
            Route("/{workflow}/latest-successful", _latest),
            Route("/{workflow}/as-of/{when}", _latest),
            Route("/{workflow}/latest-successful/as-of/{when}", _latest),
            Route("/{workflow}/{attempt}/", _page),
            Route("/{workflow}/{attempt}/notebook.ipynb", _notebook),
            Route("/{workflow}/{attempt}/files/{file:path}", _file),
        ],
        exception_handlers={NotFound: _say, UnreadableNotebook: _say, HTTPException: _say},
    )
    app.state.shelf = Shelf(store)
    return Guard(app, host=host, token=token)


def _index(request: Request) -> Response:
    return HTMLResponse(lists.index(_shelf(request)))


def _workflow(request: Request) -> Response:
    return HTMLResponse(lists.workflow(_shelf(request), request.path_params["workflow"]))


def _latest(request: Request) -> Response:
    """To the page of the newest attempt, of those that succeeded, or of those until then, as the address says."""
    workflow, when = request.path_params["workflow"], request.path_params.get("when")
    parts = request.scope["path"].split("/")[2:]
    succeeded = "latest-successful" in parts
    until = None if when is None else _until(when)
    found = find_attempt(_shelf(request).workflow(workflow), succeeded=succeeded, until=until)
    if found is None:
        raise NotFound(
            f"no attempt of {workflow}{' succeeded' if succeeded else ' has a notebook'}{f', as of {when}' if when else ''}"
        )
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{'../' * (len(parts) - 1)}{quote(found.name)}/{query}", 302)


def _page(request: Request) -> Response:
    shelf, attempt = _shelf(request), _attempt(request)
    path = shelf.notebook(attempt)
    code, scripts = request.query_params.get("code") != "hide", request.query_params.get("scripts") != "off"
    files = [(name, f"files/{quote(name)}") for name in shelf.files(attempt)]
    if (size := path.stat().st_size) > MAX_NOTEBOOK:
        words = f"The notebook is {size / 1e6:.0f} MB; a page is made of up to {MAX_NOTEBOOK / 1e6:.0f} MB. Download it instead."
        run = header_of(attempt.workflow, attempt.facts())
        links = _links(code=None, scripts=None)
        return HTMLResponse(render("message.html", title=run.title, run=run, message=words, files=files, links=links))
    make_page = live_page if scripts else static_page
    with _rendering:
        notebook = read_notebook(path.name, path.read_bytes())
        html = make_page(notebook, attempt.workflow, code=code, links=_links(code=code, scripts=scripts), files=files)
    return HTMLResponse(html, headers={"Content-Security-Policy": LIVE_POLICY} if scripts else None)


def _notebook(request: Request) -> Response:
    path = _shelf(request).notebook(_attempt(request))
    return _download(path, "application/x-ipynb+json")


def _file(request: Request) -> Response:
    return _download(_shelf(request).file(_attempt(request), request.path_params["file"]), "application/octet-stream")


def _say(_request: Request, error: Exception) -> Response:
    """An error as a page of one sentence."""
    status, words = 404, str(error)
    if isinstance(error, UnreadableNotebook):
        status = 422
    elif isinstance(error, HTTPException):
        status, words = (
            error.status_code,
            "there is no page of that address" if error.status_code == 404 else error.detail,
        )
    page = render("message.html", title="no page", run=Header("no page"), message=f"{words}.")
    return HTMLResponse(page, status)


def _download(path: Any, media_type: str) -> Response:
    """A file that no browser opens, only keeps."""
    if hasattr(path, "fs"):  # a remote one
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.name)}"}
        return StreamingResponse(path.open("rb"), media_type=media_type, headers=headers)
    return FileResponse(path, media_type=media_type, filename=path.name, content_disposition_type="attachment")


def _links(*, code: bool | None, scripts: bool | None) -> list[tuple[str, str]]:
    """The links above a notebook: to the other forms of its page, to the notebook, and back."""
    links = [("all runs", "../../"), ("this workflow", "../"), ("notebook", "notebook.ipynb")]
    if code is not None:
        shown, run = "" if code else "hide", "" if scripts else "off"
        links.append(("hide code" if code else "show code", _query("hide" if code else "", run)))
        links.append(("scripts off, links on" if scripts else "scripts on", _query(shown, "off" if scripts else "")))
    return links


def _query(code: str, scripts: str) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in (("code", code), ("scripts", scripts)) if value)


def _until(when: str) -> datetime:
    """The moment that an address names; a day means its end. In UTC where it does not say otherwise."""
    try:
        moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    except ValueError:
        raise NotFound(f"{when[:40]!r} is no ISO date or time, such as 2026-01-31 or 2026-01-31T06:00") from None
    if len(when) == len("2026-01-31"):
        moment = datetime.combine(moment, time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _attempt(request: Request) -> Attempt:
    return _shelf(request).attempt(request.path_params["workflow"], request.path_params["attempt"])


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf
