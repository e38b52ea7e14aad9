"""Labeling people who passed, for a browser: the page's routes, and the daemon's answers."""

from __future__ import annotations

from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.page.exchange import read_body, refused
from edge.page.hub import Hub
from edge.qualify.label_requests import (
    LabelDeed,
    LabelOrder,
    LabelRequests,
    LabelState,
    ReadLabelPicture,
    ReadLabels,
    ReadLabelSheet,
)


class Labels(Protocol):
    """Whom the daemon asks: `LabelDesk`."""

    def do(self, deed: LabelDeed) -> str: ...
    def state(self) -> LabelState: ...
    def picture(self, visit: int, number: int, *, is_uncovered: bool) -> bytes: ...
    def sheet(self) -> bytes: ...


class LabelAnswer(msgspec.Struct, frozen=True):
    """What became of it."""

    error: str = ""
    """Empty: it was done."""


def answer_labels(labels: Labels | None, request: LabelRequests) -> tuple[bytes, bytes]:
    """Return a document, and a picture or nothing."""
    if labels is None:
        return msgspec.json.encode(LabelState("off", "nobody can be labeled here")), b""
    match request:
        case ReadLabels():
            return msgspec.json.encode(labels.state()), b""
        case ReadLabelPicture(visit, number, is_uncovered):
            return b"{}", labels.picture(visit, number, is_uncovered=is_uncovered)
        case ReadLabelSheet():
            return b"{}", labels.sheet()
        case _:
            return msgspec.json.encode(LabelAnswer(labels.do(request))), b""


class LabelView:
    """The routes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        return [
            Route("/labels", self._state),
            Route("/labels", self._deed, methods=["POST"]),
            Route("/labels/picture", self._picture),
            Route("/labels/sheet", self._sheet),
        ]

    async def _state(self, request: Request) -> Response:
        document, _ = await self._hub.ask(ReadLabels())
        return Response(document, media_type="application/json")

    async def _deed(self, request: Request) -> Response:
        wanted = await read_body(request, LabelOrder)
        if wanted is None:
            return refused(400, "this is none of the things that can be labeled; reload the page")
        document, _ = await self._hub.ask(wanted.deed)
        return Response(document, media_type="application/json")

    async def _picture(self, request: Request) -> Response:
        asked = request.query_params
        wanted = ReadLabelPicture(
            _number(asked.get("visit", "")), _number(asked.get("number", "")), "face" in asked
        )
        _, picture = await self._hub.ask(wanted)
        return Response(picture, 200 if picture else 404, media_type="image/jpeg")

    async def _sheet(self, request: Request) -> Response:
        _, sheet = await self._hub.ask(ReadLabelSheet())
        if not sheet:
            return refused(404, "there is no result, or the service was restarted since")
        name = {"Content-Disposition": 'attachment; filename="qualification.html"'}
        return Response(sheet, 200, name, media_type="text/html")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0
