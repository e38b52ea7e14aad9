"""What the page asks of the daemon, and the answers, over the daemon's Unix socket.

On each connection the daemon speaks first: a `Front`, framed like an answer. Then the page sends
requests, each one of the structs below. An answer is a JSON document, which the page hands on as it
is, and some bytes, of a picture or none. Each is preceded by its length.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.config import (
    MAX_SHIFT,
    MOST_ZONES,
    SHIFT_NAME,
    Notices,
    Polygon,
    Polygons,
    ZonePolicy,
)
from edge.history.requests import MAX_NAME, ONE_LINE, Acknowledge, Note, SetRule
from edge.host.status_file import runtime_directory
from edge.qualify.label_requests import LabelRequests

PROGRAM = str(Path(__file__).resolve().parents[2])
FOLDER = "page"
"""Below the service's RuntimeDirectory; root makes it, for the group of the page's unit."""
SOCKET = "daemon.sock"
SIGN_SOCKET = "sign.sock"
"""Beside the other: what the sign shows, at each change and twice a second, see `SignMessage`."""
FAILURE = "failure"
"""Why systemd does not listen for the page, where it does not, in a file beside the socket."""
MAX_REQUEST_BYTES = 64_000
MAX_ANSWER_BYTES = 4_000_000
Name = Annotated[str, msgspec.Meta(max_length=40)]
"""Of a region, an excluded area or a zone."""
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)]
"""In the order of the polygons; empty: it has none."""
MAX_CAMERA = 32
CameraChoice = Annotated[str, msgspec.Meta(max_length=MAX_CAMERA)]
"""The name of one of several cameras; empty: the first."""
PlaceName = Annotated[str, msgspec.Meta(max_length=40, pattern=ONE_LINE)]
"""Of a zone or a camera, as the history has it."""
_REQUEST = struct.Struct(">I")
_ANSWER = struct.Struct(">II")


def socket_path(state: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the daemon answers its page: in memory under systemd, else beside its state."""
    runtime = runtime_directory(environment)
    return (state if runtime is None else runtime / FOLDER) / SOCKET


class Front(msgspec.Struct, frozen=True):
    """How the page is to be served. A page that was started for another one ends, and is started
    again by systemd: with another address, password or certificate, or of another release."""

    program: str
    """The folder of the daemon's program: another one is another release."""
    address: str
    port: int
    external_url: str = ""
    """Where browsers find it behind a reverse proxy; empty: where it listens."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks whose forwarding headers are believed."""
    password: str = ""
    """Its hash, see `edge.page.password`; empty: none is asked for."""
    cookie_key: bytes = b""
    """Signs the cookies of known browsers; stays the same as long as the device's state."""
    certificate: bytes = b""
    """Certificate chain and key, in PEM; empty: plain HTTP."""
    key: bytes = b""
    has_metrics: bool = False
    metrics_token: bytes = b""
    """The SHA-256 of the token that they need, see `edge.page.bearer`; empty: none."""
    has_sign: bool = False
    sign_token: bytes = b""
    """The SHA-256 of the token that opens the sign; empty: none does."""
    cameras: tuple[str, ...] = ()
    """The names of several; empty: there is one."""


class SignLine(msgspec.Struct, frozen=True):
    """A sentence in one language."""

    language: str
    direction: Literal["ltr", "rtl"]
    text: str


class SignMessage(msgspec.Struct, frozen=True):
    """What the sign shows, framed like an answer without a picture."""

    notice: Notices
    lines: tuple[SignLine, ...]
    closed: Notices
    """What it shows when it hears nothing more."""
    closed_lines: tuple[SignLine, ...]
    program: str
    """The version, whose page is to show it."""


class Request(msgspec.Struct, frozen=True, tag=True):
    """What may be asked."""


class NextScene(Request, frozen=True):
    """The first scene whose number is above `after`; an empty one if none comes for a second."""

    after: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    camera: str = ""
    """Which of several; empty: the first."""


class PageReport(Request, frozen=True):
    """Health, counts, what happened, and the area that is watched."""

    camera: str = ""


class ReadMetrics(Request, frozen=True):
    """The metrics, as text, which is no JSON; nothing before the daemon has its first ones."""

    is_open_metrics: bool
    """In the form of OpenMetrics; else in that of Prometheus."""


class DrawnZone(msgspec.Struct, frozen=True):
    """An outline with a policy of its own."""

    name: Name
    points: Polygon
    policy: ZonePolicy = ZonePolicy.VIOLATION


DrawnZones = Annotated[tuple[DrawnZone, ...], msgspec.Meta(max_length=MOST_ZONES)]


class Draw(Request, frozen=True):
    """Watch this area from now on, in which these zones hold."""

    regions: Polygons
    excluded: Polygons
    region_names: Names = ()
    excluded_names: Names = ()
    zones: DrawnZones | None = None
    """None: as they are."""
    camera: CameraChoice = ""


class Undo(Request, frozen=True):
    """Watch again the area, with the zones, before the last that was drawn."""

    camera: CameraChoice = ""


class TryNotifications(Request, frozen=True):
    """Send a test to each target of notifications."""


class Hush(Request, frozen=True):
    """Make no sound at the door for a while; or make sounds again."""

    is_muted: bool


class ReadReport(Request, frozen=True):
    """The report of a period, once it is made; see `edge.page.reports`."""

    kind: Literal["day", "shift", "week", "month"]
    day: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?\Z")] = ""
    """One in the period, of a shift the one on which it begins; empty: today, or the last shift."""
    form: Literal["json", "html", "pdf", "csv"] = "json"
    shift: Annotated[str, msgspec.Meta(max_length=MAX_SHIFT, pattern=rf"^({SHIFT_NAME})?\Z")] = ""
    """The name of the one that is meant."""
    zone: PlaceName = ""
    camera: PlaceName = ""
    """Only what happened there; empty: everywhere."""

    def __post_init__(self) -> None:
        if (self.kind == "shift") != bool(self.shift):
            raise ValueError("a shift has a name, and nothing else has")


class SignReport(Request, frozen=True, forbid_unknown_fields=True):
    """Put a name to a report, and return it as it is then, in the form of `report`."""

    report: ReadReport
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Of the figures that the signer has seen: others are not signed."""
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, pattern=ONE_LINE)]
    note: Note = ""


class ReportAnswer(msgspec.Struct, frozen=True):
    """What became of it; the report comes in a picture's place."""

    error: str = ""
    is_waiting: bool = False
    """It is not made yet: ask again."""


Requests = (
    NextScene
    | PageReport
    | ReadMetrics
    | Draw
    | Undo
    | TryNotifications
    | Hush
    | Acknowledge
    | SetRule
    | ReadReport
    | SignReport
    | LabelRequests
)
_decode = msgspec.msgpack.Decoder(Requests).decode
_encode = msgspec.msgpack.Encoder().encode


def framed_request(request: Requests) -> bytes:
    content = _encode(request)
    return _REQUEST.pack(len(content)) + content


def framed_answer(document: bytes, picture: bytes = b"") -> bytes:
    return _ANSWER.pack(len(document), len(picture)) + document + picture


def read_request(ours: socket.socket) -> Requests | None:
    """Return the next request; None: the other side has gone, or speaks another language."""
    head = _exactly(ours, _REQUEST.size)
    if head is None or (size := _REQUEST.unpack(head)[0]) > MAX_REQUEST_BYTES:
        return None
    content = _exactly(ours, size)
    try:
        return None if content is None else _decode(content)
    except (ValueError, OverflowError, RecursionError):
        return None


def answer_sizes(head: bytes) -> tuple[int, int]:
    """Return the sizes of document and picture. Raises ValueError when they cannot be right."""
    document, picture = _ANSWER.unpack(head)
    if document + picture > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {document + picture} bytes")
    return document, picture


ANSWER_HEAD_BYTES = _ANSWER.size


def _exactly(ours: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        try:
            part = ours.recv(size)
        except OSError:
            return None
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
