"""The sections about what is reported: by whom, to which broker, and what may be asked for."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.address import host_and_port, host_in, mqtt_port
from edge.config.section import MAX_TEXT, Section, TopicLevel
from edge.errors import ConfigError


def _host_name() -> str:
    name = re.sub(r"[^A-Za-z0-9_.\-]", "-", socket.gethostname())[:64]
    return name or "tensormask"


class DeviceSettings(Section, frozen=True):
    """Who we are to the receivers of our messages."""

    id: TopicLevel = msgspec.field(default_factory=_host_name)
    """A level of every topic; the host's name unless given."""
    site: str = ""
    zone: str = ""


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
        return self.port or mqtt_port(tls=self.tls)


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


class OutboxSettings(Section, frozen=True):
    """The queue of messages for the broker, on disk."""

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


class CommandSettings(Section, frozen=True):
    """What may be asked of the device over MQTT."""

    allowed: tuple[
        Literal["pause", "resume", "restart", "snapshot", "mute", "acknowledge", "rule"], ...
    ] = ()
    """Empty: nothing, and the device subscribes to nothing."""
    per_minute: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    """More are refused."""
    max_pause_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 3600.0
    """A pause, and a mute by command, ends by itself after this at the latest."""


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
                'pictures = "faces" sends recognizable people; if you may do that, set '
                "may_publish_faces = true"
            )


class HealthSettings(Section, frozen=True):
    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 30.0
