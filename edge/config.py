"""The settings: one TOML file, one typed section each, everything defaulted except the broker.

Unknown keys, wrong types and values out of range are refused by file, section and key. What a
file that is marked as a newer program's has beyond these is left out, with a warning: an older
program must run on it.
"""

from __future__ import annotations

import logging
import math
import os
import pwd
import re
import socket
import stat
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from edge.address import (
    Sensor,
    bracketed,
    did_you_mean,
    holds_password,
    host_and_port,
    host_in,
    source_in,
)
from edge.errors import ConfigError, NotAllowedError
from edge.files import DamagedFileError, in_words, text_in

DEFAULT_PATH = Path("/etc/tensormask/tensormask.toml")
SERVICE_USER = "tensormask"
"""Whom the installed service runs as."""
CREDENTIAL = "credential:"
"""Begins the name of a file that systemd gives to the service, see systemd.exec(5)."""

SCHEMA = 3
"""Counts the releases that have added sections or keys. It is the first line of a file: a comment,
since programs before 2 would refuse a key."""
_MARK = re.compile(r"# tensormask settings (\d{1,9})\b")

MAX_BYTES = 64_000
MAX_TEXT = 1000
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""Mostly seconds; bounded, since TOML knows infinity, and OpenCV takes milliseconds as an int."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
TopicLevel = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]+$", max_length=64)]
"""One level of a topic: no slash, wildcard or space."""
Point = tuple[Share, Share]
Polygon = Annotated[tuple[Point, ...], msgspec.Meta(min_length=3, max_length=100)]
"""In fractions of the frame, (0, 0) its top left corner."""
Polygons = Annotated[tuple[Polygon, ...], msgspec.Meta(max_length=20)]
_FINGERPRINT = r"^(([0-9A-Fa-f]{2}:?){32})?$"
LINGER_S = 2.0
"""Somebody found so lately is still in sight, even if the last scan missed the face."""
MISSED_FRAMES = 3.5
"""And so is somebody found in one of so many frames of a slow source."""
SEARCH_PACE = 2
"""Nobody in sight is searched for at half the pace: quick scans only follow."""
SLACK_S = 0.005
"""A frame that is due but for the camera's jitter is due."""


def _host_name() -> str:
    name = re.sub(r"[^A-Za-z0-9_.\-]", "-", socket.gethostname())[:64]
    return name or "tensormask"


def state_directory() -> Path:
    """Return where the service may write: systemd's StateDirectory, else the user's own.

    Raises ConfigError for a user who has none.
    """
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if given := os.environ.get("XDG_STATE_HOME"):
        return Path(given) / "tensormask"
    try:
        return Path.home() / ".local/state/tensormask"
    except RuntimeError as error:  # neither HOME nor an entry in /etc/passwd
        raise ConfigError(
            f"no folder for the state: user {os.geteuid()} has no home directory; set HOME or "
            "STATE_DIRECTORY, or [outbox] path"
        ) from error


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of the file."""


class DeviceSettings(Section, frozen=True):
    """Who we are to the receivers of our messages."""

    id: TopicLevel = msgspec.field(default_factory=_host_name)
    """A level of every topic; the host's name unless given."""
    site: str = ""
    zone: str = ""


class CameraSettings(Section, frozen=True):
    """Where the frames come from."""

    source: Annotated[str, msgspec.Meta(min_length=1)] = "picamera2"
    """`picamera2` or `picamera2:1` (a Pi camera), `/dev/video0` (USB), `rtsp://…`, a clip, or a
    folder of pictures."""
    ca_file: str = ""
    """The authority that signed the certificate of an rtsps:// or https:// camera, or that
    certificate itself; a path or `credential:NAME`; empty: the system's."""
    fingerprint: Annotated[str, msgspec.Meta(pattern=_FINGERPRINT)] = ""
    """The SHA-256 of its certificate, which is then trusted whoever signed it, whatever names it
    has and however old it is."""
    insecure: bool = False
    """Whether the password and the pictures may go to and come from whoever answers."""
    width_px: Annotated[int, msgspec.Meta(ge=64, le=4608)] = 1280
    height_px: Annotated[int, msgspec.Meta(ge=64, le=2592)] = 720
    fps: Annotated[float, msgspec.Meta(gt=0, le=120)] = 15.0
    """Asked of a camera; of a folder of pictures it is the rate they stand for."""
    rotation_deg: Literal[0, 90, 180, 270] = 0
    """Clockwise, for a camera that hangs on its side; width and height are before it."""
    lores_width_px: Annotated[int, msgspec.Meta(ge=0, le=1920)] = 640
    """Width of the small stream that a Pi camera makes for the detector; 0: none."""
    realtime: bool = True
    """A clip or folder: at its own pace, dropping frames when late, as a camera would. Otherwise as
    fast as possible, every frame."""
    loop: bool = False
    """A clip or folder: again from the start, for ever."""
    open_timeout_s: Positive = 10.0
    """How long a camera or stream may take to open, and to give its first frame, until it counts as
    lost."""
    stall_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 4.0
    """How long a camera or stream that has given frames may give none, or the same one over and
    over, until it counts as lost. Three frames at `fps` are always waited for."""
    restart_after_s: NotNegative = 600.0
    """A Pi or USB camera that stays lost for so long ends the program, so that the system starts it
    anew; 0: never."""

    def __post_init__(self) -> None:
        kept = [key for key in ("ca_file", "fingerprint", "insecure") if getattr(self, key)]
        if len(kept) > 1:
            raise ValueError(f"{' and '.join(kept)} exclude each other: keep one")
        if kept and self.source.strip().lower().startswith(("rtsp:", "http:")):
            raise ValueError(f"{kept[0]} needs an rtsps:// or https:// source: this one has no TLS")

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return (self.ca_file,)

    @property
    def frame_timeout_s(self) -> float:
        """How long the next frame may take."""
        return max(self.stall_s, 3 / self.fps)

    def __repr__(self) -> str:
        """Leave out the source: it may hold the password of a camera in the network."""
        return f"CameraSettings({self.width_px} x {self.height_px}, {self.fps:g} frames per second)"


class DetectorSettings(Section, frozen=True):
    """Finding faces."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "auto"
    """One of `edge.detect.detectors`, which refuses others; `auto`: the first of them that is here,
    the one that comes with the program."""
    model: str = ""
    """Path of the detector's weights; empty: the known ones."""
    confidence: Share | None = None
    """Finds below this score are not looked at; 0.4 with res10 and 0.6 with the others unless
    given."""
    sure_confidence: Share | None = None
    """Nobody is followed who has not once been found with this score, and nobody told of who has
    not been so `min_looks` times; 0.5 with res10 and 0.78 with the others unless given."""
    min_face_px: Annotated[float, msgspec.Meta(ge=8, le=4096)] = 16.0
    """Smaller faces (geometric mean of width and height) are not looked at."""
    longest_side_px: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 640
    """Frames are scaled down to this before detection, and so are close-ups, which show half as
    much; res10 always sees 300 x 300."""
    upscale_below_px: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 480
    """Frames whose longest side is smaller are doubled before detection; 0: never."""
    region: tuple[Point, ...] = ()
    """A polygon in fractions of the frame, (0, 0) its top left corner: only faces whose centre lies
    in it count. Empty: the whole frame."""
    regions: Polygons = ()
    """More of these: a face counts in any of them."""
    excluded: Polygons = ()
    """In these no face counts: posters, screens, mirrors."""
    every_s: NotNegative = 0.12
    """Where something moves, frames are scanned for faces this often, half as often while nobody is
    in sight; 0: all of them."""
    full_every_s: NotNegative = 0.5
    """As often one of these scans is of the picture in full size, which shows who else is there;
    people in sight are scanned for as often even where nothing moves."""
    idle_every_s: NotNegative = 5.0
    """As often a scene is scanned in which nothing moves and nobody is."""
    quick_side_px: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 320
    """The other scans follow the faces in sight in a picture scaled down to this, where none of
    them is too small for that."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2

    def __post_init__(self) -> None:
        if 0 < len(self.region) < 3:
            raise ValueError("a region is a polygon of at least three points")
        if (
            self.confidence is not None
            and self.sure_confidence is not None
            and self.sure_confidence < self.confidence
        ):
            raise ValueError(
                "sure_confidence is at least confidence: of what is found, some is surely a face"
            )

    @property
    def watched(self) -> Polygons:
        """All regions."""
        return ((self.region,) if self.region else ()) + self.regions

    def gap_s(self, frame_s: float) -> float:
        """Return how long somebody in sight who moves may wait for the next scan, with a frame
        every `frame_s`; 0: with any number of them."""
        gap_s = _at_frame(self.every_s, frame_s)
        is_in_sight = gap_s < lingers_s(frame_s)
        return gap_s if is_in_sight else _at_frame(SEARCH_PACE * self.every_s, frame_s)

    def still_gap_s(self, frame_s: float) -> float:
        """Return the same for somebody who stands still."""
        gap_s = _at_frame(max(self.every_s, self.full_every_s), frame_s)
        linger_s = lingers_s(frame_s)
        if gap_s < linger_s:
            return gap_s
        return _at_frame(max(linger_s, SEARCH_PACE * self.every_s, self.idle_every_s), frame_s)


def lingers_s(frame_s: float) -> float:
    """Return how lately somebody was found who is in sight, with a frame every `frame_s`."""
    return max(LINGER_S, MISSED_FRAMES * frame_s)


def _at_frame(due_s: float, frame_s: float) -> float:
    """Return when the frame comes that is taken for what is due then."""
    return max(1, math.ceil((due_s - SLACK_S) / frame_s)) * frame_s if frame_s else due_s


class ClassifierSettings(Section, frozen=True):
    """Judging masks."""

    bundle: str = ""
    """Folder of the model bundle; empty: the one that `tensormask models activate` has put to use,
    or that comes with the program."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    min_face_px: Annotated[float, msgspec.Meta(ge=8, le=4096)] = 20.0
    """Smaller faces are tracked, but not judged: they stay `unknown`."""
    min_sharpness: NotNegative = 0.05
    """Faces more blurred than this are not judged; see `edge.classify.preprocess.sharpness`."""
    looks_per_frame: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """No more faces are judged in one frame; the others wait for their turn. With the default pace
    of scans, eight doubtful faces are judged twice a second each, which is all that counts."""
    recheck_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """A person who is known well is judged again this often; 0: in every frame."""


class TrackerSettings(Section, frozen=True):
    """Which face belongs to which person."""

    min_iou: Share = 0.2
    """A face continues a track when it overlaps its predicted box by this much."""
    max_missed_s: Positive = 1.5
    """A track that has not been seen for so long has ended, and in a slow source not been seen in
    three frames."""
    still_missed_s: NotNegative = 10.0
    """Somebody who stood still is the same person where a face is found at the same place and in
    the same size within so long: hidden by others, or the camera was away."""

    @property
    def longest_missed_s(self) -> float:
        """After so long without a face everybody has left, but for a slow source."""
        return max(self.max_missed_s, self.still_missed_s)

    def bridged_s(self, frame_s: float) -> float:
        """Return how long a face may be missed, with a frame every `frame_s`."""
        return max(self.max_missed_s, MISSED_FRAMES * frame_s)


class PolicySettings(Section, frozen=True):
    """When a missing mask is a violation."""

    confirm_s: NotNegative = 1.0
    """How long the mask must have been missing."""
    min_looks: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    """How many judged looks it takes at least, and finds that are surely a face, however slow the
    camera."""
    bare_probability: Annotated[float, msgspec.Meta(ge=0, le=0.98)] = 0.8
    """The accumulated evidence must reach this, and the bundle's own threshold. Evidence is never
    surer than 0.989."""
    worn_wrongly: Literal["report", "violation", "ignore"] = "report"
    """What a mask below the nose or the chin is, where the bundle tells it apart: counted apart, a
    violation too, or a mask like others."""
    worn_wrongly_s: NotNegative = 3.0
    """How long it must have been so: whoever puts a mask on or adjusts it is quicker."""


class MqttSettings(Section, frozen=True):
    """The broker."""

    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    """1883, or 8883 with TLS, unless given."""
    topic_prefix: TopicLevel = "tensormask"
    client_id: str = ""
    """`tensormask-<device id>` unless given."""
    username: str = ""
    password_file: str = ""
    """A file that only the service's user and root can read: the password on its first line. This
    and the files below may be `credential:NAME`: a file that systemd gives by LoadCredential=."""
    tls: bool = False
    ca_file: str = ""
    """The authority that signed the broker's certificate; empty: the system's."""
    certificate_file: str = ""
    """Our own certificate, where the broker asks for one, and its key."""
    key_file: str = ""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """`auto`: MQTT 5, and 3.1.1 where the broker does not speak it."""
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    """A connection without traffic is asked for a sign of life this often, and given up when none
    comes within the same time."""
    ack_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    """A broker that takes messages, but acknowledges none for so long, is left and tried again."""
    replay_per_s: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 50.0
    """No more documents are sent in a second: an outage's backlog must not flood anybody."""

    def __post_init__(self) -> None:
        try:
            host_in(self.host)
        except ValueError as error:
            raise ValueError(f"host: {error}") from None
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file come together")
        if (self.ca_file or self.certificate_file) and not self.tls:
            raise ValueError("ca_file and certificate_file need tls = true")
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username")

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return (self.password_file, self.ca_file, self.certificate_file, self.key_file)

    @property
    def broker_port(self) -> int:
        return self.port or (8883 if self.tls else 1883)


class OutboxSettings(Section, frozen=True):
    """What waits on disk for the broker."""

    path: str = ""
    """The SQLite file; empty: `outbox.sqlite` in the service's state directory."""
    max_rows: Annotated[int, msgspec.Meta(ge=10, le=100_000_000)] = 100_000
    """The oldest are dropped, and counted, beyond this."""
    max_bytes: Annotated[int, msgspec.Meta(ge=1_000_000, le=10**12)] = 100_000_000
    """The same for the size of all payloads; the file is larger by up to a third."""
    max_age_s: Annotated[float, msgspec.Meta(ge=60, le=1e9)] = 30 * 86_400.0
    """The same for documents that are certainly older; a wrong clock makes none older."""

    @property
    def file(self) -> Path:
        return Path(self.path or state_directory() / "outbox.sqlite")


class CommandSettings(Section, frozen=True):
    """What may be asked of the device over MQTT."""

    allowed: tuple[Literal["pause", "resume", "restart", "snapshot"], ...] = ()
    """Empty: nothing, and the device subscribes to nothing."""
    per_minute: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    """More are refused."""
    max_pause_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 3600.0
    """A pause ends by itself after this at the latest."""


class SnapshotSettings(Section, frozen=True):
    """Which pictures leave the device."""

    pictures: Literal["none", "pixelated", "faces"] = "none"
    """`pixelated`: every face is made unrecognizable; `faces`: as the camera sees them."""
    may_publish_faces: bool = False
    """`faces` needs this too."""
    longest_side_px: Annotated[int, msgspec.Meta(ge=160, le=640)] = 480
    max_bytes: Annotated[int, msgspec.Meta(ge=10_000, le=500_000)] = 60_000
    """Of the JPEG; its text in the payload is a third longer."""

    def __post_init__(self) -> None:
        if self.pictures == "faces" and not self.may_publish_faces:
            raise ValueError(
                'pictures = "faces" sends recognizable people; if you may do that, say so with '
                "may_publish_faces = true"
            )


class PageSettings(Section, frozen=True):
    """The page for a browser: what the camera sees, with heads covered.

    `tensormask replay --show` covers heads as it does.
    """

    enabled: bool = False
    address: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    """Where it listens: on this machine only, unless told otherwise; `::`: everywhere."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080
    password_file: str = ""
    """A file that only the service's user and root can read, or `credential:NAME`: the password on
    its first line. Needed where others than this machine can connect."""
    certificate_file: str = ""
    """For TLS, with its key."""
    key_file: str = ""
    external_url: str = ""
    """Behind a reverse proxy: the URL in the browser, `https://museum.example/door-1/`."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies, whose X-Forwarded headers are believed."""
    fps: Annotated[float, msgspec.Meta(gt=0, le=15)] = 4.0
    """Pictures a second while somebody looks."""
    heads: Literal["pixelated", "faces"] = "pixelated"
    may_show_faces: bool = False
    """`faces` needs this too."""

    @property
    def files(self) -> tuple[str, ...]:
        """What is named, each a path or `credential:NAME`; empty: none."""
        return (self.password_file, self.certificate_file, self.key_file)

    @property
    def is_in_clear(self) -> bool:
        """Tell whether the password crosses a network without TLS, as far as the settings tell."""
        is_encrypted = self.certificate_file or self.external_url.startswith("https:")
        is_local = ip_address(self.address).is_loopback
        return bool(self.password_file and not is_encrypted and not is_local)

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate_file else "http"
        return f"{scheme}://{bracketed(self.address)}:{self.port}"

    def __post_init__(self) -> None:
        try:
            where = ip_address(self.address)
        except ValueError:
            raise ValueError(f"address: {self.address!r} is no address of this machine") from None
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file come together")
        if self.external_url and not _is_web_address(self.external_url):
            raise ValueError(
                f"external_url: {self.external_url!r}: write it as in the browser, "
                "https://museum.example/door-1/"
            )
        for proxy in self.proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"proxies: {error}; write 192.0.2.7 or 192.0.2.0/24") from None
        if self.enabled and not where.is_loopback and not self.password_file:
            raise ValueError(
                f"address = {self.address!r} lets others see the page: it needs a password_file"
            )
        if self.heads == "faces" and not self.may_show_faces:
            raise ValueError(
                'heads = "faces" shows recognizable people to whoever has the password; if you may '
                "do that, say so with may_show_faces = true"
            )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.query or parts.fragment)
        )
    except ValueError:
        return False


class HealthSettings(Section, frozen=True):
    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0


class ReleaseSettings(Section, frozen=True):
    """Another release, or model, on an installed device."""

    trial_s: Annotated[float, msgspec.Meta(ge=10, le=86_400)] = 600.0
    """It must do well for so long; until then it is undone where it does worse than the former."""
    keep: Annotated[int, msgspec.Meta(ge=2, le=20)] = 3
    """So many releases, and models of a kind, stay installed."""


class LogSettings(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section, frozen=True):
    """The whole file."""

    mqtt: MqttSettings
    device: DeviceSettings = msgspec.field(default_factory=DeviceSettings)
    camera: CameraSettings = msgspec.field(default_factory=CameraSettings)
    detector: DetectorSettings = msgspec.field(default_factory=DetectorSettings)
    classifier: ClassifierSettings = msgspec.field(default_factory=ClassifierSettings)
    tracker: TrackerSettings = msgspec.field(default_factory=TrackerSettings)
    policy: PolicySettings = msgspec.field(default_factory=PolicySettings)
    outbox: OutboxSettings = msgspec.field(default_factory=OutboxSettings)
    commands: CommandSettings = msgspec.field(default_factory=CommandSettings)
    snapshots: SnapshotSettings = msgspec.field(default_factory=SnapshotSettings)
    page: PageSettings = msgspec.field(default_factory=PageSettings)
    health: HealthSettings = msgspec.field(default_factory=HealthSettings)
    release: ReleaseSettings = msgspec.field(default_factory=ReleaseSettings)
    log: LogSettings = msgspec.field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        """Refuse, each by itself right, what together could never report anybody."""
        is_sensor = isinstance(source_in(self.camera.source), Sensor)
        frame_s = 1 / self.camera.fps if is_sensor else 0.0
        for gap_s, wanted in (
            (
                self.detector.gap_s(frame_s),
                "[detector] every_s must be below [tracker] max_missed_s",
            ),
            (
                self.detector.still_gap_s(frame_s),
                "[detector] full_every_s must be below [tracker] max_missed_s, and below "
                f"{LINGER_S:g} s unless idle_every_s is below max_missed_s too",
            ),
        ):
            if gap_s >= self.tracker.bridged_s(frame_s):
                raise ValueError(f"{wanted}: everybody would be lost between two scans")


def load_settings(path: Path = DEFAULT_PATH) -> Settings:
    """Read the file. Raises ConfigError, one line that names file, section and key.

    A file that everybody can read is refused where it holds a password: in the camera's address.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
            is_open = bool(os.fstat(file.fileno()).st_mode & stat.S_IRWXO)
    except PermissionError as error:
        if _is_service_user():
            cure = f"sudo chgrp {SERVICE_USER} {path}; sudo chmod 640 {path}"
            raise ConfigError(f"{path}: {error.strerror} for the service's user; {cure}") from error
        raise NotAllowedError(
            f"{path}: {error.strerror}: only root and the service may read the settings"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; give the file's path with --config"
        ) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1000} kB: no file of settings")
    try:
        text = text_in(content)
        tables = tomllib.loads(text)
    except DamagedFileError as error:
        raise ConfigError(f"{path}: {error}") from error
    # Beside its own errors tomllib lets through what Python says to numbers of thousands of digits,
    # and to brackets in brackets in brackets.
    except (ValueError, RecursionError) as error:
        twice = any(word in str(error) for word in ("twice", "overwrite"))
        hint = "; each section and each key may stand there only once" if twice else ""
        raise ConfigError(f"{path}: not a TOML file: {error}{hint}") from error
    mark = _MARK.match(text)
    settings = parse_settings(tables, str(path), int(mark[1]) if mark else SCHEMA)
    if is_open and holds_password(settings.camera.source):
        raise ConfigError(
            f"{path}: everybody can read it, and [camera] source has a password; chmod o= {path}"
        )
    return settings


def parse_settings(tables: dict[str, Any], origin: str, schema: int = SCHEMA) -> Settings:
    """Check the tables of a file that is named `origin` in errors and marked with `schema`."""
    if schema > SCHEMA:
        tables = _without_unknown_keys(tables, origin)
    _refuse_unknown_keys(tables, origin)
    if "mqtt" not in tables:
        raise ConfigError(f'{origin}: no broker; add a section [mqtt] with host = "…"')
    try:
        return msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_by_section_and_key(str(error))}") from error
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error


def broker_at(address: str) -> MqttSettings:
    """Return the settings of a broker without secrets, given as HOST, HOST:PORT or [IPv6]:PORT.

    Raises ConfigError.
    """
    place = host_and_port(address)
    wanted = f"{address[:MAX_TEXT]!r} is no broker; give HOST, HOST:PORT or [IPv6]:PORT"
    if place is None:
        raise ConfigError(wanted)
    try:
        return MqttSettings(host=place[0], port=place[1])
    except ValueError as error:
        raise ConfigError(f"{wanted} ({error})") from None


def _without_unknown_keys(tables: dict[str, Any], origin: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    unknown = []
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, table in tables.items():
        if name not in sections:
            unknown.append(f"[{_on_one_line(name)}]")
        elif not isinstance(table, dict):
            known[name] = table
        else:
            keys = {field.name for field in msgspec.structs.fields(sections[name])}
            known[name] = {key: value for key, value in table.items() if key in keys}
            unknown += [f"[{name}] {_on_one_line(key)}" for key in table if key not in keys]
    if unknown:
        logging.getLogger(__name__).warning(
            "%s: written for a newer program; ignored: %s", origin, ", ".join(unknown)
        )
    return known


def _refuse_unknown_keys(tables: dict[str, Any], origin: str) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, table in tables.items():
        if name not in sections:
            raise ConfigError(
                f"{origin}: unknown section [{_on_one_line(name)}]{_nearest(name, sections)}"
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{origin}: {name} is a section: write [{name}] and its keys below")
        keys = {field.name for field in msgspec.structs.fields(sections[name])}
        for key, value in table.items():
            if key not in keys:
                raise ConfigError(
                    f"{origin}: [{name}] unknown key {_on_one_line(key)}{_nearest(key, keys)}"
                )
            if isinstance(value, str) and not (value.isprintable() and len(value) <= MAX_TEXT):
                raise ConfigError(
                    f"{origin}: [{name}] {key}: a line break or another control character, or "
                    f"more than {MAX_TEXT} characters"
                )


def _is_service_user() -> bool:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name == SERVICE_USER
    except KeyError:
        return False


def _on_one_line(word: str) -> str:
    return (word if word.isprintable() else ascii(word))[:MAX_TEXT]


def _nearest(word: str, known: Any) -> str:
    return did_you_mean(word, known) or f"; known are {', '.join(sorted(known))}"


def _by_section_and_key(message: str) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.mqtt.port`" round, and into words."""
    text, _, place = message.partition(" - at `$.")
    section, _, key = place.rstrip("`").partition(".")
    text = in_words(text)
    if (section, key) == ("mqtt", "host") and "empty" in text:
        text += "; name the broker"
    if "matching regex" in text:
        text = (
            "it is a certificate's SHA-256: 64 hexadecimal digits, with or without colons"
            if key == "fingerprint"
            else "it is made of letters, digits, _, - and . only"
        )
    if text.startswith("Invalid enum value "):
        text += _choices(section, key.partition("[")[0], text.removeprefix("Invalid enum value "))
    if not section:
        return text
    return f"[{section}] {key}: {text}" if key else f"[{section}] {text}"


def _choices(section: str, key: str, given: str) -> str:
    """Return the end of a message on a value that is none of a key's few."""
    kind = inspect.type_info(_field_type(_field_type(Settings, section), key))
    if isinstance(kind, inspect.VarTupleType):
        kind = kind.item_type
    assert isinstance(kind, inspect.LiteralType), "nothing else is an enumeration here"
    known = [str(value) for value in kind.values]
    return f"; known are {', '.join(known)}{did_you_mean(given.strip(chr(39)), known)}"


def _field_type(struct: Any, name: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(struct) if field.name == name)
