"""One connection to the MQTT broker at a time, over paho-mqtt, and the way there.

paho keeps unacknowledged messages over a reconnect, in memory and without a bound, and reconnects
without jitter. So every connection here is a client of its own, which forgets all at its end: what
is sent again, and when, is decided by whoever owns the messages.
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.config import MqttSettings
from edge.errors import BrokerError, ConfigError
from edge.secret import located, read_password, refuse_open

ANSWER_TIMEOUT_S = 5.0
"""How long the network may take to connect, and then the broker to answer."""
MAX_BACKOFF_S = 60.0
MAX_INCOMING_BYTES = 1_000_000
"""A broker of MQTT 5 sends us nothing larger, however large a message somebody publishes."""

_UNSUPPORTED_PROTOCOL = 0x84
_TAKEN_OVER = 0x8E
_PATIENCE_NEEDED = (0x85, 0x86, 0x87, 0x8A, 0x8C)
"""Client id, user name or password, authorisation, ban: they do not mend themselves in seconds."""
_FIRST_REFUSAL = 0x80
_MAX_PACKET_BYTES = 268_435_460
"""What MQTT itself allows."""
_MAX_HEADER_BYTES = 10
"""Of a PUBLISH with QoS 1 and no properties: type, length, the topic's length, id, properties."""
_OWN_FAULTS = (0x90, 0x95, 0x99)
"""Topic name invalid, packet too large, payload format invalid: the same bytes fail each time."""
_VAGUE_FAULTS = (0x80, 0x83)
"""Unspecified, implementation specific: a full disk of the broker's, or this message."""


class MqttVersion(Enum):
    V5 = MQTTProtocolVersion.MQTTv5
    V311 = MQTTProtocolVersion.MQTTv311

    def __str__(self) -> str:
        return "MQTT 5" if self is MqttVersion.V5 else "MQTT 3.1.1"


_VERSIONS = {
    "auto": (MqttVersion.V5, MqttVersion.V311),
    "5": (MqttVersion.V5,),
    "3.1.1": (MqttVersion.V311,),
}


class BrokerRefusalError(BrokerError):
    """The broker answered, and turned us away: asking again soon is no use."""


class _UnsupportedVersionError(BrokerError):
    """The broker says that it does not speak this version of MQTT."""


class _NoAnswerError(BrokerError):
    """The broker accepted the connection, but did not answer, or hung up.

    Some brokers of MQTT 3.1.1 do that when they are spoken to in MQTT 5: they take its properties
    for the lengths of what follows, and wait for bytes that never come (amqtt 0.12 does).
    """


class Pollable(Protocol):
    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained and with QoS 1, when we vanish."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the broker does not take a message."""

    code: int
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def is_for_itself(self) -> bool:
        """Whether the message is at fault, so that sending it again is no use."""
        return self.code in _OWN_FAULTS

    @property
    def is_vague(self) -> bool:
        """Whether the broker does not say if it is for this message or for all."""
        return self.code in _VAGUE_FAULTS


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The broker's PUBACK."""

    message_id: int
    refusal: Refusal | None
    """Why the broker does not take the message; only MQTT 5 can tell."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool = False
    """The broker had kept it; with MQTT 5 also: it is asked to keep it."""


@dataclass(slots=True)
class Arrivals:
    """What came in one turn."""

    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    denial: str | None = None
    """Why the broker denies a subscription."""


class Backoff:
    """How long to wait before the next attempt: exponential, with full jitter.

    A uniform draw from 0 to the bound spreads the clients of a restarted broker best (Brooker,
    "Exponential Backoff And Jitter", 2015).
    """

    def __init__(
        self,
        source: random.Random | None = None,
        first_s: float = 1.0,
        longest_s: float = MAX_BACKOFF_S,
    ) -> None:
        self._source = source or random.Random()
        self._first_s = first_s
        self._longest_s = longest_s
        self._bound_s = first_s

    def next_s(self) -> float:
        bound_s = self._bound_s
        self._bound_s = min(2 * bound_s, self._longest_s)
        return self._source.uniform(0, bound_s)

    def slow_s(self) -> float:
        """Return a wait that fits a refusal: at least half the longest one."""
        return self._source.uniform(self._longest_s / 2, self._longest_s)

    def reset(self) -> None:
        self._bound_s = self._first_s


class BrokerAccess:
    """Where the broker is and how to get in: credentials and certificates, read once."""

    def __init__(self, settings: MqttSettings) -> None:
        """Raises ConfigError where a file is missing, unusable, or readable by everybody."""
        self._settings = settings
        self._password = (
            read_password(settings.password_file, "[mqtt] password_file")
            if settings.password_file
            else None
        )
        self._tls = _tls_context(settings) if settings.tls else None
        self._versions = _VERSIONS[settings.protocol]
        self._answered = False
        self._address: str | None = None
        """The last that took a connection, of those that `host` has."""

    @property
    def name(self) -> str:
        return f"{self._settings.host}:{self._settings.broker_port}"

    def connect(
        self, client_id: str, will: Will | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Connection:
        """Return a connection that the broker has accepted.

        MQTT 3.1.1 is tried where the broker refuses MQTT 5, or, as long as it has never answered
        us, says nothing to it; the version that worked is kept. Where `host` has several addresses,
        that of the last connection comes last: a node of a cluster may hang, and still accept
        connections. Raises BrokerError.
        """
        addresses = self._addresses(timeout_s)
        version, *fallback = self._versions
        try:
            connection = self._attempt(version, addresses, client_id, will, timeout_s)
        except (_UnsupportedVersionError, _NoAnswerError) as error:
            if not fallback or (self._answered and isinstance(error, _NoAnswerError)):
                raise
            connection = self._attempt(fallback[0], addresses, client_id, will, timeout_s)
            self._versions = (fallback[0],)
        self._answered = True
        return connection

    def _addresses(self, timeout_s: float) -> list[str]:
        """Look `host` up; those behind the address of the last connection come first."""
        try:
            answers = socket.getaddrinfo(self._settings.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unreachable(error, timeout_s) from error
        found = list(dict.fromkeys(_address(place) for *_, place in answers))
        behind = found.index(self._address) + 1 if self._address in found else 0
        return found[behind:] + found[:behind]

    def _reach(self, addresses: Sequence[str], timeout_s: float) -> socket.socket:
        """Return a connection to the first address that takes one."""
        problem = OSError("it has no address")
        for address in addresses:
            try:
                wire = socket.create_connection((address, self._settings.broker_port), timeout_s)
            except OSError as error:
                problem = error
            else:
                self._address = address
                return wire
        raise problem

    def _unreachable(self, error: OSError | UnicodeError, timeout_s: float) -> BrokerError:
        problem = _plainly(error, timeout_s, tls=self._settings.tls)
        return BrokerError(f"the broker {self.name}: {problem}")

    def _attempt(
        self,
        version: MqttVersion,
        addresses: Sequence[str],
        client_id: str,
        will: Will | None,
        timeout_s: float,
    ) -> Connection:
        settings = self._settings
        v5 = version is MqttVersion.V5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if v5 else True,
            protocol=version.value,
            reconnect_on_failure=False,
        )
        client.reach = partial(self._reach, addresses, timeout_s)
        client.connect_timeout = timeout_s
        client.max_inflight_messages_set(0)  # our own window is the smaller one
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if settings.username:
            client.username_pw_set(settings.username, self._password)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        connection = Connection(client, version, self.name)
        try:
            client.connect(
                settings.host,
                settings.broker_port,
                settings.keepalive_s,
                properties=_connect_properties() if v5 else None,
            )
            connection.await_answer(timeout_s)
        except (OSError, UnicodeError) as error:
            connection.drop()
            raise self._unreachable(error, timeout_s) from error
        except BrokerError:
            connection.drop()
            raise
        return connection


class Connection:
    """A connection from CONNECT to its end, for one thread. Nothing outlives it."""

    def __init__(self, client: Client, version: MqttVersion, broker: str) -> None:
        self.version = version
        self.receive_maximum: int = 65535
        """How many unacknowledged messages the broker takes."""
        self.maximum_packet_bytes: int = _MAX_PACKET_BYTES
        """The largest message that it takes, with its topic and header."""
        self._client = client
        self._broker = broker
        self._accepted = False
        self._end: BrokerError | None = None
        self._arrivals = Arrivals()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send with QoS 1 and return the id that its acknowledgement will have."""
        return self._client.publish(topic, payload, qos=1, retain=retain).mid

    def takes(self, topic: str, payload: bytes) -> bool:
        """Tell whether the broker takes a message of this size."""
        size = _MAX_HEADER_BYTES + len(topic.encode()) + len(payload)
        return size <= self.maximum_packet_bytes

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for messages with QoS 1; where the broker denies it, `Arrivals.denial` says why."""
        if self.version is MqttVersion.V5:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def turn(self, timeout_s: float, waker: Pollable | None = None) -> Arrivals:
        """Wait for traffic or for `waker`, at most `timeout_s`; send, receive, keep alive.

        Returns what came. Raises BrokerError once the connection is over and all that came before
        its end has been returned.
        """
        wire = self._client.socket()
        if wire is not None and self._end is None:
            poller = select.poll()
            events = select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
            poller.register(wire, events)
            if waker is not None:
                poller.register(waker, select.POLLIN)
            buffered = isinstance(wire, ssl.SSLSocket) and wire.pending() > 0
            ready = dict(poller.poll(0 if buffered else 1000 * timeout_s))
            found = ready.get(wire.fileno(), 0)
            if buffered or found & ~select.POLLOUT:
                self._client.loop_read()
            if found & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
        arrivals, self._arrivals = self._arrivals, Arrivals()
        if not arrivals.acknowledgements and not arrivals.messages:
            if self._end is not None:
                raise self._end
            if self._client.socket() is None:
                raise BrokerError(f"the broker {self._broker}: the connection was lost")
        return arrivals

    def await_answer(self, timeout_s: float) -> None:
        """Wait for the broker's CONNACK. Raises BrokerError where it refuses us or none comes."""
        deadline_s = time.monotonic() + timeout_s
        while not self._accepted:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise _NoAnswerError(
                    f"the broker {self._broker}: no answer to {self.version} within {timeout_s:g} s"
                )
            self.turn(left_s)

    def leave(self, timeout_s: float) -> None:
        """End the connection orderly, so that the broker does not publish the will."""
        deadline_s = time.monotonic() + timeout_s
        self._client.disconnect()
        with suppress(BrokerError):
            while time.monotonic() < deadline_s:
                self.turn(0.1)

    def drop(self) -> None:
        """End it at once, as if we had vanished: the broker publishes the will."""
        if (wire := self._client.socket()) is not None:
            wire.close()

    def _on_connect(
        self,
        client: Client,
        userdata: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.value == 0:
            self._accepted = True
            self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
            self.maximum_packet_bytes = getattr(
                properties, "MaximumPacketSize", self.maximum_packet_bytes
            )
            return
        text = f"the broker {self._broker} refuses us: {str(reason).lower()}"
        if reason.value == _UNSUPPORTED_PROTOCOL:
            self._end = _UnsupportedVersionError(f"{text} ({self.version})")
        elif reason.value in _PATIENCE_NEEDED:
            self._end = BrokerRefusalError(f"{text}; check username, password_file and client_id")
        else:
            self._end = BrokerError(text)

    def _on_disconnect(
        self,
        client: Client,
        userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._end is not None:
            return
        if flags.is_disconnect_packet_from_server and reason.value == _TAKEN_OVER:
            self._end = BrokerRefusalError(
                f"the broker {self._broker}: another client with our client_id has taken over; "
                "give each device its own [device] id"
            )
        elif flags.is_disconnect_packet_from_server:
            self._end = BrokerError(f"the broker {self._broker} hung up: {str(reason).lower()}")
        elif not self._accepted:
            self._end = _NoAnswerError(
                f"the broker {self._broker} hung up without an answer; does it want TLS, or a "
                "client certificate?"
            )
        else:
            self._end = BrokerError(f"the broker {self._broker}: the connection was lost")

    def _on_publish(
        self,
        client: Client,
        userdata: Any,
        message_id: int,
        reason: ReasonCode,
        properties: Properties,
    ) -> None:
        refused = reason.value >= _FIRST_REFUSAL
        refusal = Refusal(reason.value, str(reason).lower()) if refused else None
        self._arrivals.acknowledgements.append(Acknowledgement(message_id, refusal))

    def _on_subscribe(
        self,
        client: Client,
        userdata: Any,
        message_id: int,
        reasons: list[ReasonCode],
        properties: Properties,
    ) -> None:
        denied = next((reason for reason in reasons if reason.value >= _FIRST_REFUSAL), None)
        if denied is not None:
            self._arrivals.denial = (
                f"the broker {self._broker} refuses the subscription: {str(denied).lower()}"
            )

    def _on_message(self, client: Client, userdata: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # forbidden, but then nobody has to obey
            return
        self._arrivals.messages.append(
            Received(topic, bytes(message.payload), bool(message.retain))
        )


def _address(place: tuple[Any, ...]) -> str:
    """Return the address of a socket's place; a link-local one with the number of its link."""
    host, *_, scope = (*place, 0) if len(place) == 2 else place
    return f"{host.partition('%')[0]}%{scope}" if len(place) == 4 and scope else str(host)


class _Client(Client):
    """paho's, over a connection of ours: it would begin with the same address each time."""

    reach: Callable[[], socket.socket]

    def _create_socket_connection(self) -> socket.socket:
        return self.reach()


class _TidySocket(ssl.SSLSocket):
    """Closed by a failed handshake; paho leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_INCOMING_BYTES
    return properties


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and that it is for `settings.host`."""
    authority = located(settings.ca_file, "[mqtt] ca_file") if settings.ca_file else None
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"[mqtt] ca_file: {settings.ca_file}: {_strerror(error)}") from error
    context.sslsocket_class = _TidySocket
    if settings.certificate_file:
        certificate = located(settings.certificate_file, "[mqtt] certificate_file")
        key = located(settings.key_file, "[mqtt] key_file")
        refuse_open(key, "[mqtt] key_file")
        try:
            # An encrypted key would ask for its password on a terminal that nobody sits at.
            context.load_cert_chain(certificate, key, password="-")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"[mqtt] certificate_file, key_file: {settings.certificate_file}, "
                f"{settings.key_file}: {_strerror(error)}"
            ) from error
    return context


def _strerror(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _plainly(error: OSError | UnicodeError, timeout_s: float, *, tls: bool) -> str:
    """Return what went wrong on the way to the broker, in one line for the operator."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}; check ca_file and host"
        case ssl.SSLError():
            return f"no TLS connection: {error.reason or error}; does this port speak TLS?"
        case socket.gaierror() | UnicodeError():
            return "its name is not found; check host, and the network's name server"
        case ConnectionRefusedError():
            return "it refuses the connection; is a broker running there, on this port?"
        case TimeoutError():
            return f"no answer within {timeout_s:g} s; check host, port and firewall"
        case ConnectionResetError() | BrokenPipeError() if tls:
            return "it hung up during the TLS handshake; does this port speak TLS?"
        case _:
            return f"unreachable: {_strerror(error)}"
