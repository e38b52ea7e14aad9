"""The reports, as the page's own view reads them, and as files to keep."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.page.exchange import read_body, refused
from edge.page.hub import Hub
from edge.page.wire import ReadReport, ReportAnswer, SignReport

ASKED_EVERY_S = 0.25
PATIENCE_S = 16.0
"""A browser waits for 20 s; the report is made all the same, and is there when it asks again."""
TYPES = {
    "json": "application/json",
    "html": "text/html",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
}
FIELDS = ("kind", "day", "form", "shift", "zone", "camera")


class ReportDocuments:
    """Asks the daemon for a report until it is made; meanwhile others ask for what they want."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        return [
            Route("/document", self._document),
            Route("/document/sign", self._sign, methods=["POST"]),
        ]

    async def _document(self, request: Request) -> Response:
        given = {key: request.query_params[key] for key in FIELDS if key in request.query_params}
        try:
            wanted = msgspec.convert(given, ReadReport)
        except msgspec.ValidationError:
            return refused(400, "kind is day, shift, week or month; day is 2026-11-29 or empty")
        headers = {} if "view" in request.query_params else {"Content-Disposition": _file(wanted)}
        return await self._answer(wanted, wanted, headers)

    async def _sign(self, request: Request) -> Response:
        wanted = await read_body(request, SignReport)
        if wanted is None or not wanted.by.strip():
            return refused(400, "write report, digest, and who signs it")
        return await self._answer(wanted, wanted.report, {})

    async def _answer(
        self, wanted: ReadReport | SignReport, report: ReadReport, headers: dict[str, str]
    ) -> Response:
        try:
            async with asyncio.timeout(PATIENCE_S):
                made, content = await self._made(wanted)
        except TimeoutError:
            return refused(503, "the report is being made: try again in a moment", 1.0)
        if made.error:
            return refused(409, made.error)
        return Response(content, 200, headers, media_type=TYPES[report.form])

    async def _made(self, wanted: ReadReport | SignReport) -> tuple[ReportAnswer, bytes]:
        while True:
            document, content = await self._hub.ask(wanted)
            made = msgspec.json.decode(document, type=ReportAnswer)
            if not made.is_waiting:
                return made, content
            await asyncio.sleep(ASKED_EVERY_S)


def _file(wanted: ReadReport) -> str:
    """Return the header by which a browser keeps it under a name that says what it is."""
    parts = ("tensormask", wanted.kind, wanted.shift, wanted.day, wanted.camera, wanted.zone)
    name = "-".join(filter(None, (re.sub(r"\W+", "-", each).strip("-") for each in parts)))
    plain = re.sub(r"[^A-Za-z0-9-]", "_", name)  # what a header may hold; RFC 6266 has both
    return (
        f'attachment; filename="{plain}.{wanted.form}"; '
        f"filename*=UTF-8''{quote(name)}.{wanted.form}"
    )
