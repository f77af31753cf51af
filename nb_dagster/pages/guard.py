"""The door of a server: nobody gets in by another name or without the token, and every answer has the headers of a page."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "nb_dagster_token"
PAGE_POLICY = (
    "sandbox allow-downloads; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of everything that does not say otherwise: no origin, no scripts, nothing loaded."""
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """An ASGI application in front of another, through which every request and every answer goes.

    Args:
        app: the application behind it.
        host: the address that the server listens on; requests must name it, or this machine, against DNS rebinding.
            An address that stands for all of the machine's is known by any name: there the token guards.
        token: what a request has to bring; None lets in everybody who reaches the server.
    """

    def __init__(self, app: ASGIApp, *, host: str, token: str | None) -> None:
        self.app = app
        self._names = None if host in ("0.0.0.0", "::") else LOOPBACK | {host.lower()}  # noqa: S104 - a comparison
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            request = Request(scope)
            await (self._refusal(request) or self.app)(scope, receive, _with_headers(send))
        else:  # web sockets
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, request: Request) -> Response | None:
        """What is answered instead of the application; None lets the request through."""
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("pages are only read: use GET\n", 405, {"Allow": "GET, HEAD"})
        if self._names is not None and _host(request) not in self._names:
            return PlainTextResponse("this server is not known by that name\n", 400)
        if self._token is None:
            return None
        if self._is_token(request.query_params.get("token")):
            return self._let_in(request)
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if self._is_token(request.cookies.get(COOKIE)) or (kind.lower() == "bearer" and self._is_token(bearer.strip())):
            return None
        return PlainTextResponse(
            "this page needs the token that the server was started with: open it once with ?token=...\n",
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_token(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _let_in(self, request: Request) -> Response:
        """To the same address without the token, which is then in a cookie, and not in the history of the browser."""
        query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
        response = RedirectResponse(f"?{query}" if query else request.url.path.rpartition("/")[2] or "./", 303)
        response.set_cookie(
            COOKIE,
            self._token or "",
            httponly=True,
            secure=request.url.scheme == "https",
            samesite="lax",  # a page without an origin is another site to a strict one, and its links would be refused
        )
        return response


def _host(request: Request) -> str:
    """The name in the Host header, without its port."""
    name = request.headers.get("host", "").lower()
    return name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
