"""What a broker says: of a connection, of its end, and of each message."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import BrokerError

_UNSUPPORTED_PROTOCOL = 0x84
_TAKEN_OVER = 0x8E
_LACKS = {0x9A: "retains", 0x9B: "confirms"}
"""Retain not supported, QoS not supported: what of `Terms` the broker does not have."""
_CREDENTIALS = (0x85, 0x86, 0x87, 0x8A, 0x8C)
"""Client id, user name or password, authorization, ban: they do not pass within seconds."""
_PATIENCE_NEEDED = (0x87, 0x89, 0x96, 0x97, 0x98, 0x9C, 0x9D, 0x9F)
"""Authorization, busy, message rate, quota, an administrator, another server, connection rate."""
_OUR_MESSAGE = (0x80, 0x81, 0x82, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99, 0xA1, 0xA2)
"""It disconnects because of what we have sent, or does not say why."""
_UNSPECIFIED = 0x80
_OWN_FAULTS = (0x90, 0x95, 0x99)
"""Topic name invalid, packet too large, payload format invalid: the same bytes fail each time."""
_VAGUE_FAULTS = (0x80, 0x83)
"""Unspecified, implementation specific: a full disk of the broker's, or this message."""


class MqttVersion(Enum):
    V5 = MQTTProtocolVersion.MQTTv5
    V311 = MQTTProtocolVersion.MQTTv311

    def __str__(self) -> str:
        return "MQTT 5" if self is MqttVersion.V5 else "MQTT 3.1.1"


@dataclass(frozen=True, slots=True)
class BrokerRefusal:
    """Why the broker does not take a message."""

    code: int
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_for_itself(self) -> bool:
        """Whether the message is at fault, so that sending it again is useless."""
        return self.code in _OWN_FAULTS

    @property
    def is_vague(self) -> bool:
        """Whether the broker does not say if it is for this message or for all."""
        return self.code in _VAGUE_FAULTS


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The broker's PUBACK, or, with QoS 0, the proof that it has read a message."""

    message_id: int
    refusal: BrokerRefusal | None
    """Why the broker does not take the message; only MQTT 5 can tell."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool = False
    """The broker had kept it; with MQTT 5 also: it is asked to keep it."""


@dataclass(slots=True)
class Turn:
    """What came in one turn."""

    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    subscribed: list[int] = field(default_factory=list)
    """The ids of subscriptions that the broker has answered."""
    denial: str | None = None
    """Why the broker denies a subscription."""
    denied: list[int] = field(default_factory=list)
    """Which of `subscribed` it denies."""


class BrokerRefusalError(BrokerError):
    """The broker answered, and turned us away: asking again soon is useless."""


class UnsupportedVersionError(BrokerError):
    """The broker says that it does not speak this version of MQTT."""


class NoAnswerError(BrokerError):
    """The broker accepted the connection, but did not answer, or disconnected.

    Some brokers of MQTT 3.1.1 do that when they are spoken to in MQTT 5: they take its properties
    for the lengths of what follows, and wait for bytes that never come (amqtt 0.12 does).
    """

    def __init__(self, text: str, *, has_disconnected: bool) -> None:
        super().__init__(text)
        self.has_disconnected = has_disconnected


class DisconnectedError(BrokerError):
    """The broker has ended the connection, maybe because of what was on its way."""

    def __init__(self, text: str, refusal: BrokerRefusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal or BrokerRefusal(_UNSPECIFIED, "the broker disconnects")


class ExpelledError(DisconnectedError, BrokerRefusalError):
    """The same, and it says why: coming back soon is useless."""


class TermsError(BrokerError):
    """The broker does not have what was used: the same goes without, at once."""

    def __init__(self, text: str, lacks: str) -> None:
        super().__init__(text)
        self.lacks = lacks
        """A field of `Terms`."""


def refused(
    broker: str, version: MqttVersion, reason: ReasonCode, properties: Properties | None
) -> BrokerError:
    """Return what a CONNACK means that does not accept the connection."""
    text = f"the broker {broker} rejected the connection: {str(reason).lower()}"
    if reason.value == _UNSUPPORTED_PROTOCOL:
        return UnsupportedVersionError(f"{text} ({version})")
    if reason.value in _LACKS:
        return TermsError(text, _LACKS[reason.value])
    if reason.value in _CREDENTIALS:
        return BrokerRefusalError(f"{text}; check username, password_file and client_id")
    if reason.value in _PATIENCE_NEEDED:
        return BrokerRefusalError(f"{text}{_elsewhere(properties)}")
    return BrokerError(text)


def ended(broker: str, reason: ReasonCode, properties: Properties | None) -> BrokerError:
    """Return what a broker's DISCONNECT means."""
    text = f"the broker {broker} disconnected: {str(reason).lower()}{_elsewhere(properties)}"
    if reason.value == _TAKEN_OVER:
        return BrokerRefusalError(
            f"the broker {broker}: another client with the same client_id has taken over; "
            "give each device its own [device] id"
        )
    if reason.value in _LACKS:
        return TermsError(text, _LACKS[reason.value])
    if reason.value in _OUR_MESSAGE:
        kind = ExpelledError if reason.value in _PATIENCE_NEEDED else DisconnectedError
        refusal = BrokerRefusal(reason.value, f"the broker disconnects: {str(reason).lower()}")
        return kind(text, refusal)
    return (BrokerRefusalError if reason.value in _PATIENCE_NEEDED else BrokerError)(text)


def _elsewhere(properties: Properties | None) -> str:
    """Return which server the broker names instead of itself."""
    reference = getattr(properties, "ServerReference", "")
    return f"; it refers to another server: {reference}" if reference else ""
