"""The sign in the page's process: who may see it, and what it shows now.

A kiosk brings the token once, in the address. It gets a cookie for it that is good for the sign
alone, and the address without the token. A browser that has logged in sees the sign anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.config import Notices
from edge.files import DamagedFileError, decoded
from edge.page.exchange import address_of, refused
from edge.page.guard import Guard, TooManyError
from edge.page.hub import AGAIN_S, read_answer
from edge.page.origin import Site
from edge.page.wire import Front, SignLine, SignMessage
from edge.secret import token_digest

FILE = Path(__file__).with_name("files") / "sign.html"
PATH, STATE = "/sign", "/sign/state"
COOKIE_S = 400 * 86_400
"""The longest that browsers allow; each answer begins it again."""
LONGEST_S = 1.0
"""How long a sign waits for a change, and asks again then: what it hears nothing of for two
seconds, it shows no more."""
FRESH_S = 1.4
"""After this without a word the daemon has stopped; it speaks every 0.4 s."""


class SignPass:
    """Whether a request may see the sign without a session."""

    def __init__(self, front: Front, guard: Guard, site: Site) -> None:
        self._token = front.sign_token
        self._guard = guard
        self._site = site
        self._name = f"tensormask-{site.name}-sign"
        content = b"sign " + front.sign_token
        self._value = hmac.new(front.cookie_key, content, hashlib.sha256).hexdigest()

    def admits(self, request: Request, path: str) -> bool:
        """Return whether it brings the cookie, and asks for nothing but the sign."""
        given = request.cookies.get(self._name, "").encode("utf-8", "surrogatepass")
        is_right = hmac.compare_digest(given, self._value.encode())
        return bool(self._token) and path in (PATH, STATE) and is_right

    def enter(self, request: Request, path: str) -> Response | None:
        """Take a token out of the address, for a cookie; None: there is none in it."""
        token = request.query_params.get("token")
        if path != PATH or token is None or not self._token:
            return None
        try:
            is_right = self._guard.accepts(address_of(request), token_digest(token), self._token)
        except TooManyError as error:
            return refused(429, str(error), error.wait_s)
        if not is_right:
            return refused(401, "this is not the token of [sign] token_file")
        answer = RedirectResponse(PATH.removeprefix("/"), 303)
        self.renew(request, answer)
        return answer

    def renew(self, request: Request, answer: Response) -> None:
        """Have the browser keep the cookie for long."""
        answer.set_cookie(
            self._name,
            self._value,
            max_age=COOKIE_S,
            path=f"{self._site.path}{PATH.removeprefix('/')}",
            httponly=True,
            secure=request.url.scheme == "https",
            samesite="lax",  # it may be opened by a link from elsewhere, and changes nothing
        )


class SignState(msgspec.Struct, frozen=True):
    """What a browser gets."""

    tag: str
    """Names this state; another one has another."""
    age_ms: int
    """How long ago the daemon has confirmed it."""
    waited_ms: int
    """How long the answer was held back for a change."""
    notice: Notices
    lines: tuple[SignLine, ...]
    closed: Notices
    closed_lines: tuple[SignLine, ...]
    program: str


class SignLink:
    """Listens to the daemon, and knows what it has said last, and when."""

    def __init__(self, daemon: Path) -> None:
        """`daemon` is the socket at which it speaks, see `edge.page.signpost`."""
        self._daemon = daemon
        self._run = secrets.token_hex(4)
        self._number = 0
        self._message: SignMessage | None = None
        self._heard_s = float("-inf")
        self._changed = asyncio.Condition()

    async def keep_connected(self) -> None:
        while True:
            with contextlib.suppress(OSError, ValueError, EOFError):
                await self._listen()
            await self._take(None)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._daemon)
        try:
            while True:
                document, _ = await read_answer(reader)
                with contextlib.suppress(DamagedFileError):  # another release's
                    await self._take(decoded(document, SignMessage))
        finally:
            writer.close()

    async def _take(self, message: SignMessage | None) -> None:
        async with self._changed:
            self._heard_s = time.monotonic()
            if message != self._message:
                self._message = message
                self._number += 1
                self._changed.notify_all()

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._heard_s

    @property
    def _tag(self) -> str:
        return f"{self._run}.{self._number}"

    async def state(self, after: str) -> SignState | None:
        """Return the present one once it is another than `after`, or after a second.

        None at once when the daemon has stopped.
        """
        begun_s = time.monotonic()
        async with self._changed:
            while (message := self._message) is not None and self._age_s < FRESH_S:
                waited_s = time.monotonic() - begun_s
                if self._tag != after or waited_s >= LONGEST_S:
                    return SignState(
                        self._tag,
                        round(1000 * self._age_s),
                        round(1000 * waited_s),
                        message.notice,
                        message.lines,
                        message.closed,
                        message.closed_lines,
                        message.program,
                    )
                wait_s = min(LONGEST_S - waited_s, FRESH_S - self._age_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, wait_s)):
                        await self._changed.wait()
        return None


class SignView:
    """The routes of the sign."""

    def __init__(self, link: SignLink, admission: SignPass) -> None:
        self.admission = admission
        self._link = link

    def routes(self) -> list[Route]:
        return [Route(PATH, sign_page), Route(STATE, self._state)]

    async def _state(self, request: Request) -> Response:
        state = await self._link.state(request.query_params.get("after", ""))
        if state is None:
            return refused(503, "the service is not running")
        answer = Response(msgspec.json.encode(state), media_type="application/json")
        if self.admission.admits(request, STATE):
            self.admission.renew(request, answer)
        return answer


async def sign_page(request: Request) -> Response:
    return Response(FILE.read_bytes(), media_type="text/html")
