"""The web server's routes: files, scenes and requests, for people who are let in."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from edge.history.requests import Acknowledge, SetRule
from edge.page.bearer import METRICS, Metrics
from edge.page.documents import ReportDocuments
from edge.page.door import CONNECTION
from edge.page.exchange import read_body, refused
from edge.page.guard import Guard
from edge.page.hub import Hub
from edge.page.labeling import LabelView
from edge.page.login import Login
from edge.page.origin import Site
from edge.page.sign import PATH, SignView, sign_page
from edge.page.wire import MAX_CAMERA, Draw, Front, Hush, Requests, TryNotifications, Undo

FILES = Path(__file__).with_name("files")
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
SERVED = (".js", ".css", ".svg")
SIGN_FILES = ("sign.js", "sign.css", "icon.svg")
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
AGAIN_S = 5
AWAY = (
    b'<!doctype html><html lang="en"><meta charset="utf-8">'
    b'<meta http-equiv="refresh" content="%d">'
    b'<meta name="viewport" content="width=device-width"><title>TensorMask</title>'
    b"<h1>The service is starting, or stopped</h1><p>After a start, or a change of release, it "
    b"takes up to a minute, and this page opens by itself. If it does not, on the device: "
    b"<code>tensormask status</code>"
) % AGAIN_S


def application(
    hub: Hub, guard: Guard, site: Site, front: Front, sign: SignView | None = None
) -> Starlette:
    """Return the page as an ASGI application."""
    by_token = (METRICS,) if front.metrics_token else ()
    login = Login(guard, site, by_token, None if sign is None else sign.admission)
    metrics = Metrics(hub, guard, front).routes() if front.has_metrics else []

    async def guarded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await login.admit(request, call_next)
        answer.headers.update(HEADERS)
        if request.scope[CONNECTION].is_stranger:
            answer.headers["Connection"] = "close"
        if request.url.scheme == "https":
            answer.headers["Strict-Transport-Security"] = STRICT_TRANSPORT
        return answer

    return Starlette(
        routes=[
            Route("/", _index),
            Route("/login", _login),
            *login.routes(),
            *(Route(f"/{each.name}", _file) for each in FILES.iterdir() if each.suffix in SERVED),
            *_LiveView(hub, guard).routes(),
            *ReportDocuments(hub).routes(),
            *LabelView(hub).routes(),
            *metrics,
            *([] if sign is None else sign.routes()),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)],
    )


def unavailable() -> Starlette:
    """Return what is shown while nothing is known of the daemon, not even a password."""

    async def away(request: Request) -> Response:
        again = {"Retry-After": str(AGAIN_S)}
        return Response(AWAY, 503, HEADERS | again, media_type="text/html")

    async def closed(request: Request) -> Response:
        """A kiosk that starts with the device shows this until its token can be looked at."""
        answer = await sign_page(request)
        answer.headers.update(HEADERS)
        return answer

    async def file(request: Request) -> Response:
        path = FILES / request.url.path.rpartition("/")[2]
        return Response(path.read_bytes(), headers=HEADERS, media_type=TYPES[path.suffix])

    return Starlette(
        routes=[
            Route(PATH, closed),
            *(Route(f"/{name}", file) for name in SIGN_FILES),
            Route("/{path:path}", away),
        ]
    )


async def _index(request: Request) -> Response:
    return FileResponse(FILES / "index.html", media_type=TYPES[".html"])


async def _login(request: Request) -> Response:
    return FileResponse(FILES / "login.html", media_type=TYPES[".html"])


async def _file(request: Request) -> Response:
    path = FILES / request.url.path.rpartition("/")[2]
    return FileResponse(path, media_type=TYPES[path.suffix])


class _LiveView:
    """What the daemon shows, and the area that is drawn in it."""

    def __init__(self, hub: Hub, guard: Guard) -> None:
        self._hub = hub
        self._guard = guard

    def routes(self) -> list[Route]:
        return [
            Route("/health", self._health),
            Route("/scene", self._scene),
            Route("/report", self._report),
            Route("/area", self._draw, methods=["POST"]),
            Route("/area/undo", self._undo, methods=["POST"]),
            Route("/notify/test", self._test, methods=["POST"]),
            Route("/mute", self._mute, methods=["POST"]),
            Route("/acknowledge", self._acknowledge, methods=["POST"]),
            Route("/rule", self._rule, methods=["POST"]),
        ]

    async def _health(self, request: Request) -> Response:
        await self._hub.report()
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def _scene(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        number = int(after) if after.isdecimal() and len(after) < 16 else 0
        content = await self._hub.scene(number, request.query_params.get("camera", ""))
        return Response(content, 200 if content else 204, media_type="application/octet-stream")

    async def _report(self, request: Request) -> Response:
        session = {"Session": "open" if self._guard.password else "none"}
        content = await self._hub.report(request.query_params.get("camera", ""))
        return Response(content, headers=session, media_type="application/json")

    async def _draw(self, request: Request) -> Response:
        drawn = await read_body(request, Draw)
        if drawn is None:
            return refused(400, "an area is made of polygons of at least three points each, 0 to 1")
        return await self._changed(drawn)

    async def _undo(self, request: Request) -> Response:
        return await self._changed(Undo(request.query_params.get("camera", "")[:MAX_CAMERA]))

    async def _test(self, request: Request) -> Response:
        return await self._changed(TryNotifications())

    async def _mute(self, request: Request) -> Response:
        wanted = await read_body(request, Hush)
        if wanted is None:
            return refused(400, 'write {"is_muted": true} or {"is_muted": false}')
        return await self._changed(wanted)

    async def _acknowledge(self, request: Request) -> Response:
        wanted = await read_body(request, Acknowledge)
        if wanted is None:
            return refused(400, "write event_id, and a reason and a remedy of those on the page")
        return await self._changed(wanted)

    async def _rule(self, request: Request) -> Response:
        wanted = await read_body(request, SetRule)
        if wanted is None:
            return refused(400, 'write {"is_on": true} or {"is_on": false}')
        return await self._changed(wanted)

    async def _changed(self, request: Requests) -> Response:
        document, _ = await self._hub.ask(request)
        self._hub.renew()
        return Response(document, media_type="application/json")
