"""The reports, as the page's own view reads them, and as files to keep."""

from __future__ import annotations

import asyncio
import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.page.exchange import refused
from edge.page.hub import Hub
from edge.page.wire import ReadReport, ReportAnswer

ASKED_EVERY_S = 0.25
PATIENCE_S = 16.0
"""A browser waits for 20 s; the report is made all the same, and is there when it asks again."""
TYPES = {
    "json": "application/json",
    "html": "text/html",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
}
FIELDS = ("kind", "day", "form")


class ReportDocuments:
    """Asks the daemon for a report until it is made; meanwhile others ask for what they want."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        return [Route("/document", self._document)]

    async def _document(self, request: Request) -> Response:
        given = {key: request.query_params[key] for key in FIELDS if key in request.query_params}
        try:
            wanted = msgspec.convert(given, ReadReport)
        except msgspec.ValidationError:
            return refused(400, "kind is day, week or month; day is 2026-11-29 or empty")
        try:
            async with asyncio.timeout(PATIENCE_S):
                made, content = await self._made(wanted)
        except TimeoutError:
            return refused(503, "the report is being made: try again in a moment", 1.0)
        if made.error:
            return refused(409, made.error)
        headers = {} if "view" in request.query_params else {"Content-Disposition": _file(wanted)}
        return Response(content, 200, headers, media_type=TYPES[wanted.form])

    async def _made(self, wanted: ReadReport) -> tuple[ReportAnswer, bytes]:
        while True:
            document, content = await self._hub.ask(wanted)
            made = msgspec.json.decode(document, type=ReportAnswer)
            if not made.is_waiting:
                return made, content
            await asyncio.sleep(ASKED_EVERY_S)


def _file(wanted: ReadReport) -> str:
    """Return the header by which a browser keeps it under a name that says what it is."""
    day = re.sub(r"[^0-9-]", "", wanted.day)
    name = "-".join(filter(None, ("tensormask", wanted.kind, day)))
    return f'attachment; filename="{name}.{wanted.form}"'
