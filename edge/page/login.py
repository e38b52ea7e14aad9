"""Login, logout, and the gate: who is let in, by the cookies that a browser brings."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.page.door import CONNECTION
from edge.page.exchange import address_of, read_body, refused
from edge.page.guard import Guard, TooManyError, Visitor
from edge.page.origin import Site
from edge.page.sign import SignPass

BROWSER_S = 180 * 86_400
"""How long a browser is known after a login."""
OPEN = ("/login", "/login.js", "/page.css", "/icon.svg", "/sign.js", "/sign.css", "/health")
"""What is shown without a session."""


class Login:
    """Opens and ends sessions, and passes on what comes with one."""

    def __init__(
        self, guard: Guard, site: Site, by_token: Sequence[str] = (), sign: SignPass | None = None
    ) -> None:
        """`by_token` are paths that need a token instead, which their routes look at."""
        self._guard = guard
        self._open = (*OPEN, *by_token)
        self._site = site
        self._sign = sign
        self._session_cookie = f"tensormask-{site.name}"
        self._browser_cookie = f"tensormask-{site.name}-browser"

    def routes(self) -> list[Route]:
        return [
            Route("/login", self._enter, methods=["POST"]),
            Route("/logout", self._leave, methods=["POST"]),
        ]

    async def admit(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass on what comes from our own page, by somebody who was let in."""
        # Below a path, a proxy hands that on or takes it away.
        if (path := request.scope["path"]).startswith(self._site.path):
            path = request.scope["path"] = f"/{path.removeprefix(self._site.path)}"
        is_in = self._guard.knows(request.cookies.get(self._session_cookie, ""))
        is_in = is_in or (self._sign is not None and self._sign.admits(request, path))
        request.scope[CONNECTION].serves(address_of(request), is_known=is_in)
        refusal = self._site.refusal(request.method, request.url.scheme, request.headers)
        if refusal != "":
            return refused(421 if request.method in ("GET", "HEAD") else 403, refusal)
        if self._sign is not None and (entered := self._sign.enter(request, path)) is not None:
            return entered
        if not is_in and path not in self._open:
            if path == "/":
                return RedirectResponse("login", 303)
            return refused(401, "log in first")
        try:
            return await call_next(request)
        except ConnectionError as error:
            return refused(503, str(error))

    async def _enter(self, request: Request) -> Response:
        given = await read_body(request, str)
        if given is None:
            return refused(400, "no password was sent")
        browser = request.cookies.get(self._browser_cookie, "")
        try:
            admission = await self._guard.admit(
                Visitor(address_of(request), browser=browser), given
            )
        except TooManyError as error:
            return refused(429, str(error), error.wait_s)
        if admission is None:
            return refused(403, "this is not the password")
        answer = Response(status_code=204)
        for name, value, age_s in (
            (self._session_cookie, admission.session, None),
            (self._browser_cookie, admission.browser, BROWSER_S),
        ):
            answer.set_cookie(
                name,
                value,
                max_age=age_s,
                path=self._site.path,
                httponly=True,
                secure=request.url.scheme == "https",
                samesite="strict",
            )
        return answer

    async def _leave(self, request: Request) -> Response:
        self._guard.end(request.cookies.get(self._session_cookie, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(self._session_cookie, path=self._site.path)
        return answer
