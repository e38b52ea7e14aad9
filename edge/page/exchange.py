"""What requests bring, and refusals say: JSON."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from edge.files import DamagedFileError, decoded

MAX_BODY_BYTES = 64_000

Wanted = TypeVar("Wanted")


def address_of(request: Request) -> str:
    """Return the sender's, which a reverse proxy tells."""
    return "" if request.client is None else request.client.host


async def read_body(request: Request, kind: type[Wanted]) -> Wanted | None:
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


def refused(status: int, text: str, wait_s: float = 0.0) -> Response:
    headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else None
    return Response(
        msgspec.json.encode({"error": text}), status, headers, media_type="application/json"
    )
