"""The web server: pages, scenes and wishes, for whoever is let in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.page.guard import Guard
from edge.page.hub import Hub
from edge.page.wire import Draw, Undo

FILES = Path(__file__).with_name("files")
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
COOKIE = "tensormask"
MAX_BODY_BYTES = 64_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
LOCAL = ("localhost", "127.0.0.1", "[::1]")
OPEN = ("/login", "/login.js", "/page.css", "/icon.svg")
"""What whoever has no session sees."""

Wanted = TypeVar("Wanted")


def application(hub: Hub, guard: Guard, *, is_tls: bool) -> Starlette:
    """Return the page as an ASGI application."""

    async def index(request: Request) -> Response:
        return FileResponse(FILES / "index.html", media_type=TYPES[".html"])

    async def file(request: Request) -> Response:
        path = FILES / request.url.path.removeprefix("/")
        return FileResponse(path, media_type=TYPES[path.suffix])

    async def login(request: Request) -> Response:
        return FileResponse(FILES / "login.html", media_type=TYPES[".html"])

    async def enter(request: Request) -> Response:
        address = "" if request.client is None else request.client.host
        if (wait_s := guard.wait_s(address)) > 0:
            return _refused(429, f"too many attempts; wait {math.ceil(wait_s)} s", wait_s)
        given = await _read(request, str)
        if given is None:
            return _refused(400, "no password was sent")
        session = guard.let_in(address, given)
        if session is None:
            return _refused(403, "this is not the password")
        answer = Response(status_code=204)
        answer.set_cookie(COOKIE, session, httponly=True, secure=is_tls, samesite="strict")
        return answer

    async def leave(request: Request) -> Response:
        guard.end(request.cookies.get(COOKIE, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer

    async def scene(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        content = await hub.scene(int(after) if after.isdecimal() and len(after) < 16 else 0)
        return Response(content, 200 if content else 204, media_type="application/octet-stream")

    async def report(request: Request) -> Response:
        session = {"Session": "open" if guard.password else "none"}
        return Response(await hub.report(), headers=session, media_type="application/json")

    async def draw(request: Request) -> Response:
        drawn = await _read(request, Draw)
        if drawn is None:
            return _refused(
                400, "an area is made of polygons of at least three points each, 0 to 1"
            )
        return await wish(drawn)

    async def undo(request: Request) -> Response:
        return await wish(Undo())

    async def wish(request: Draw | Undo) -> Response:
        document, _ = await hub.ask(request)
        hub.renew()
        return Response(document, media_type="application/json")

    async def guarded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await _checked(request, call_next, guard)
        answer.headers.update(HEADERS)
        return answer

    return Starlette(
        routes=[
            Route("/", index),
            Route("/login", login),
            Route("/login", enter, methods=["POST"]),
            Route("/logout", leave, methods=["POST"]),
            *(Route(f"/{name}", file) for name in ("page.js", "page.css", "login.js", "icon.svg")),
            Route("/scene", scene),
            Route("/report", report),
            Route("/area", draw, methods=["POST"]),
            Route("/area/undo", undo, methods=["POST"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)],
    )


async def _checked(request: Request, call_next: RequestResponseEndpoint, guard: Guard) -> Response:
    """Pass on what comes from our own page, by somebody who was let in."""
    host = request.headers.get("host", "")
    if not guard.password and host.rpartition(":")[0] not in LOCAL and host not in LOCAL:
        # Another site whose name leads here (DNS rebinding): without a password nothing else helps.
        return _refused(421, "open this page by http://localhost or http://127.0.0.1")
    origin = request.headers.get("origin")
    if request.method == "POST" and (origin is None or origin.partition("://")[2] != host):
        return _refused(403, "this comes from another site")
    path = request.url.path
    if path not in OPEN and not guard.knows(request.cookies.get(COOKIE, "")):
        if path == "/":
            return RedirectResponse("/login", 303)
        return _refused(401, "log in first")
    try:
        return await call_next(request)
    except ConnectionError:
        return _refused(503, "the device starts anew")


async def _read(request: Request, kind: type[Wanted]) -> Wanted | None:
    """Return the JSON document of a request; None where it is too long, or none of that kind."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return None


def _refused(status: int, text: str, wait_s: float = 0.0) -> Response:
    headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else None
    return Response(
        msgspec.json.encode({"error": text}), status, headers, media_type="application/json"
    )
