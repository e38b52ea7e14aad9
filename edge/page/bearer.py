"""What programs ask for, not people: the metrics, with a token instead of a login."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.page.door import CONNECTION
from edge.page.exchange import address_of, refused
from edge.page.guard import Guard, TooManyError
from edge.page.hub import Hub
from edge.page.wire import Front
from edge.secret import token_digest

METRICS = "/metrics"
OPEN_METRICS = "application/openmetrics-text"
OPEN_METRICS_TYPE = f"{OPEN_METRICS}; version=1.0.0; charset=utf-8"
PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
AGAIN_S = 5


class Metrics:
    """Serves the metrics to whom `Authorization: Bearer` brings the token.

    Without a token they are for whom the page is: the settings allow that only where it has neither
    a password nor a proxy, so for this machine.
    """

    def __init__(self, hub: Hub, guard: Guard, front: Front) -> None:
        self._hub = hub
        self._guard = guard
        self._token = front.metrics_token

    def routes(self) -> list[Route]:
        return [Route(METRICS, self._metrics)]

    async def _metrics(self, request: Request) -> Response:
        if self._token and (refusal := self._refusal(request)) is not None:
            return refusal
        is_open = _wants_open_metrics(request.headers.get("accept", ""))
        if text := await self._hub.metrics(is_open_metrics=is_open):
            return Response(text, media_type=OPEN_METRICS_TYPE if is_open else PROMETHEUS_TYPE)
        return refused(503, "the service has just started", AGAIN_S)

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _unauthorized("the header is missing: Authorization: Bearer TOKEN")
        address = address_of(request)
        try:
            is_right = self._guard.accepts(address, token_digest(token.strip()), self._token)
        except TooManyError as error:
            return refused(429, str(error), error.wait_s)
        if not is_right:
            return _unauthorized("this is not the token")
        # Its connection may stay, and is ended for no other.
        request.scope[CONNECTION].serves(address, is_known=True)
        return None


def _unauthorized(text: str) -> Response:
    answer = refused(401, text)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _wants_open_metrics(accept: str) -> bool:
    """Return whether that form is among what a client takes, as Prometheus' own library asks."""
    return any(each.partition(";")[0].strip().lower() == OPEN_METRICS for each in accept.split(","))
