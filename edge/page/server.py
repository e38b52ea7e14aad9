"""The web server's routes: files, scenes and requests, for people who are let in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.files import DamagedFileError, decoded
from edge.page.door import CONNECTION
from edge.page.guard import Guard, TooManyError, Visitor
from edge.page.hub import Hub
from edge.page.origin import Site
from edge.page.wire import Draw, Undo

FILES = Path(__file__).with_name("files")
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
SERVED = (".js", ".css", ".svg")
MAX_BODY_BYTES = 64_000
BROWSER_S = 180 * 86_400
"""So long a browser is known after a login."""
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
STRICT_TRANSPORT = "max-age=15552000"
OPEN = ("/login", "/login.js", "/page.css", "/icon.svg", "/health")
"""What is shown without a session."""
AGAIN_S = 5
AWAY = (
    b'<!doctype html><html lang="en"><meta charset="utf-8">'
    b'<meta http-equiv="refresh" content="%d">'
    b'<meta name="viewport" content="width=device-width"><title>TensorMask</title>'
    b"<h1>The service is starting, or stopped</h1><p>After a start, or a change of release, it "
    b"takes up to a minute, and this page opens by itself. If it does not, on the device: "
    b"<code>tensormask status</code>"
) % AGAIN_S

Wanted = TypeVar("Wanted")


def application(hub: Hub, guard: Guard, site: Site) -> Starlette:
    """Return the page as an ASGI application."""
    session_cookie, browser_cookie = f"tensormask-{site.name}", f"tensormask-{site.name}-browser"

    async def index(request: Request) -> Response:
        return FileResponse(FILES / "index.html", media_type=TYPES[".html"])

    async def file(request: Request) -> Response:
        path = FILES / request.url.path.rpartition("/")[2]
        return FileResponse(path, media_type=TYPES[path.suffix])

    async def login(request: Request) -> Response:
        return FileResponse(FILES / "login.html", media_type=TYPES[".html"])

    async def enter(request: Request) -> Response:
        given = await _read(request, str)
        if given is None:
            return _refused(400, "no password was sent")
        visitor = Visitor(_address(request), browser=request.cookies.get(browser_cookie, ""))
        try:
            admission = await guard.admit(visitor, given)
        except TooManyError as error:
            return _refused(429, str(error), error.wait_s)
        if admission is None:
            return _refused(403, "this is not the password")
        answer = Response(status_code=204)
        for name, value, age_s in (
            (session_cookie, admission.session, None),
            (browser_cookie, admission.browser, BROWSER_S),
        ):
            answer.set_cookie(
                name,
                value,
                max_age=age_s,
                path=site.path,
                httponly=True,
                secure=request.url.scheme == "https",
                samesite="strict",
            )
        return answer

    async def leave(request: Request) -> Response:
        guard.end(request.cookies.get(session_cookie, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(session_cookie, path=site.path)
        return answer

    async def health(request: Request) -> Response:
        await hub.report()
        return Response(b'{"status":"ok"}', media_type="application/json")

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
        return await changed(drawn)

    async def undo(request: Request) -> Response:
        return await changed(Undo())

    async def changed(request: Draw | Undo) -> Response:
        document, _ = await hub.ask(request)
        hub.renew()
        return Response(document, media_type="application/json")

    async def guarded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await checked(request, call_next)
        answer.headers.update(HEADERS)
        if request.scope[CONNECTION].is_stranger:
            answer.headers["Connection"] = "close"
        if request.url.scheme == "https":
            answer.headers["Strict-Transport-Security"] = STRICT_TRANSPORT
        return answer

    async def checked(request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass on what comes from our own page, by somebody who was let in."""
        is_in = guard.knows(request.cookies.get(session_cookie, ""))
        request.scope[CONNECTION].serves(_address(request), is_known=is_in)
        if (refusal := site.refusal(request.method, request.url.scheme, request.headers)) != "":
            return _refused(421 if request.method in ("GET", "HEAD") else 403, refusal)
        # Below a path, a proxy hands that on or takes it away.
        if (path := request.scope["path"]).startswith(site.path):
            path = request.scope["path"] = f"/{path.removeprefix(site.path)}"
        if not is_in and path not in OPEN:
            if path == "/":
                return RedirectResponse("login", 303)
            return _refused(401, "log in first")
        try:
            return await call_next(request)
        except ConnectionError as error:
            return _refused(503, str(error))

    return Starlette(
        routes=[
            Route("/", index),
            Route("/login", login),
            Route("/login", enter, methods=["POST"]),
            Route("/logout", leave, methods=["POST"]),
            *(Route(f"/{each.name}", file) for each in FILES.iterdir() if each.suffix in SERVED),
            Route("/health", health),
            Route("/scene", scene),
            Route("/report", report),
            Route("/area", draw, methods=["POST"]),
            Route("/area/undo", undo, methods=["POST"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)],
    )


def unavailable() -> Starlette:
    """Return what is shown while nothing is known of the daemon, not even a password."""

    async def away(request: Request) -> Response:
        again = {"Retry-After": str(AGAIN_S)}
        return Response(AWAY, 503, HEADERS | again, media_type="text/html")

    return Starlette(routes=[Route("/{path:path}", away)])


def _address(request: Request) -> str:
    """Return the sender's, which a reverse proxy tells."""
    return "" if request.client is None else request.client.host


async def _read(request: Request, kind: type[Wanted]) -> Wanted | None:
    """Return a request's JSON document; None where it is cut off, too long, or of another kind."""
    content = b""
    try:
        async for part in request.stream():
            content += part
            if len(content) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return None
    try:
        return decoded(content, kind)
    except DamagedFileError:  # no UTF-8, no JSON, another kind
        return None


def _refused(status: int, text: str, wait_s: float = 0.0) -> Response:
    headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else None
    return Response(
        msgspec.json.encode({"error": text}), status, headers, media_type="application/json"
    )
