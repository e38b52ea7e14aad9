"""The way to the MQTT broker: addresses, credentials, versions, and what the broker takes."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.address import bracketed
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import MqttSettings
from edge.errors import BrokerError, ConfigError
from edge.publish.answers import (
    MqttVersion,
    NoAnswerError,
    TermsError,
    UnsupportedVersionError,
)
from edge.publish.connection import Connection, PahoClient, Will
from edge.publish.terms import ALL, Lessons, Terms
from edge.secret import located, read_password, refuse_open, refuse_unreadable

ANSWER_TIMEOUT_S = 5.0
"""How long the network may take to connect, and then the broker to answer."""
MAX_BACKOFF_S = 60.0
MAX_INCOMING_BYTES = 1_000_000
"""A broker of MQTT 5 sends us nothing larger, however large a message somebody publishes."""
_DOUBTED_AFTER = 5
"""How many hang-ups in a row let a broker that has taken our will before be tried without."""
_OF_THE_WILL = (0x80, 0x81, 0x82, 0x83, 0x87, 0x90, 0x99)
"""A refusal of these may mean the will: no reason, malformed, a rule, its topic, its payload."""
_VERSIONS = {
    "auto": (MqttVersion.V5, MqttVersion.V311),
    "5": (MqttVersion.V5,),
    "3.1.1": (MqttVersion.V311,),
}


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


def client_id(settings: MqttSettings, device_id: str) -> str:
    """Return what we call ourselves to the broker; two clients with one id throw each other out."""
    return settings.client_id or f"tensormask-{device_id}"


@dataclass(frozen=True, slots=True)
class _Call:
    """What is the same in each attempt at one connection."""

    addresses: Sequence[str]
    client_id: str
    will: Will | None
    timeout_s: float


class BrokerAccess:
    """Where the broker is and how to get in: credentials and certificates, read once."""

    def __init__(self, settings: MqttSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        """Raises ConfigError where a file is missing, unusable, or readable by everybody."""
        self._settings = settings
        self.lessons = Lessons(self.name, clock)
        self._password = (
            read_password(settings.password_file, "[mqtt] password_file")
            if settings.password_file
            else None
        )
        self._tls = _tls_context(settings) if settings.tls else None
        self._versions = _VERSIONS[settings.protocol]
        self._answered = False
        self._disconnects = 0
        """In a row, without an answer to our CONNECT."""
        self._refusal: int | None = None
        """What the CONNACK to the last attempt said, where it refused us."""
        self._address: str | None = None
        """The last that took a connection, of those that `host` has."""

    @property
    def name(self) -> str:
        return f"{bracketed(self._settings.host)}:{self._settings.broker_port}"

    def connect(
        self, client_id: str, will: Will | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Connection:
        """Return a connection that the broker has accepted.

        MQTT 3.1.1 is tried where the broker refuses MQTT 5, or, as long as it has never answered
        us, says nothing to it; the version that worked is kept. Where it refuses to retain, or QoS
        1, the same goes without at once; where it disconnects at a will without a reason, the next
        call tries a smaller one, and keeps that for an hour (`Lessons`). Where `host` has several
        addresses, that of the last connection comes last: a node of a cluster may hang, and still
        accept connections. Raises BrokerError.
        """
        call = _Call(self._addresses(timeout_s), client_id, will, timeout_s)
        is_guess = will is not None and self.lessons.is_guess
        terms = self.lessons.terms if will is not None else ALL
        try:
            connection = self._accepted(terms, call)
            if is_guess:
                connection = self._confirmed(connection, call)
        except BrokerError as error:
            if will is not None:
                self._doubt_will(error)
            raise
        self._answered, self._disconnects = True, 0
        if will is not None:
            self.lessons.note(connection.terms)
        return connection

    def _accepted(self, terms: Terms, call: _Call) -> Connection:
        """Return a connection with these terms, less what the broker refuses by name."""
        for _ in range(2):
            try:
                return self._in_a_version(terms, call)
            except TermsError as refused:
                terms = replace(terms, **{refused.lacks: False})
        return self._in_a_version(terms, call)

    def _in_a_version(self, terms: Terms, call: _Call) -> Connection:
        version, *fallback = self._versions
        try:
            return self._attempt(version, terms, call)
        except (UnsupportedVersionError, NoAnswerError) as error:
            if not fallback or (self._answered and isinstance(error, NoAnswerError)):
                raise
        connection = self._attempt(fallback[0], terms, call)
        self._versions = (fallback[0],)
        return connection

    def _confirmed(self, smaller: Connection, call: _Call) -> Connection:
        """Return one with all terms after all, where it was not the will that the broker refused.

        A proxy whose broker is starting disconnects, too, and takes the next one, whatever it is.
        """
        smaller.leave(timeout_s=1.0)
        smaller.drop()
        try:
            return self._accepted(ALL, call)
        except BrokerError as error:
            if not self._may_be_the_will(error):
                raise
        self.lessons.note(smaller.terms)
        return self._accepted(smaller.terms, call)

    def _may_be_the_will(self, error: BrokerError) -> bool:
        has_disconnected = isinstance(error, NoAnswerError) and error.has_disconnected
        return has_disconnected or self._refusal in _OF_THE_WILL

    def _doubt_will(self, error: BrokerError) -> None:
        """Have the next attempt make less of the will, where it may be at fault."""
        self._disconnects = self._disconnects + 1 if self._may_be_the_will(error) else 0
        if self._disconnects >= (_DOUBTED_AFTER if self._answered else 1):
            self.lessons.guess(by_a_rule=self._refusal is not None)

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

    def _attempt(self, version: MqttVersion, terms: Terms, call: _Call) -> Connection:
        settings = self._settings
        v5 = version is MqttVersion.V5
        client = PahoClient(
            CallbackAPIVersion.VERSION2,
            call.client_id,
            clean_session=None if v5 else True,
            protocol=version.value,
            reconnect_on_failure=False,
        )
        client.reach = partial(self._reach, call.addresses, call.timeout_s)
        client.connect_timeout = call.timeout_s
        client.max_inflight_messages_set(0)  # our own window is the smaller one
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if settings.username:
            client.username_pw_set(settings.username, self._password)
        if (will := call.will) is not None and terms.has_will:
            client.will_set(will.topic, will.payload, qos=terms.qos, retain=terms.retains)
        connection = Connection(client, version, self.name, terms)
        self._refusal = None
        try:
            client.connect(
                settings.host,
                settings.broker_port,
                settings.keepalive_s,
                properties=_connect_properties() if v5 else None,
            )
            connection.await_answer(call.timeout_s)
        except (OSError, UnicodeError) as error:
            connection.drop()
            raise self._unreachable(error, call.timeout_s) from error
        except BrokerError:
            self._refusal = connection.refusal_code
            connection.drop()
            raise
        return connection


def _address(place: tuple[Any, ...]) -> str:
    """Return the address of a socket's place; a link-local one with the number of its link."""
    host, *_, scope = (*place, 0) if len(place) == 2 else place
    return f"{host.partition('%')[0]}%{scope}" if len(place) == 4 and scope else str(host)


class _TidySocket(ssl.SSLSocket):
    """Closed by a failed handshake, or by one that was never begun.

    paho leaves the one to the garbage collector, CPython's `wrap_socket` the other.
    """

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        self.close()


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
        refuse_unreadable(certificate, "[mqtt] certificate_file")
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
            return "its name cannot be resolved; check host, and the network's name server"
        case ConnectionRefusedError():
            return "it refuses the connection; is a broker running there, on this port?"
        case TimeoutError():
            return f"no answer within {timeout_s:g} s; check host, port and firewall"
        case ConnectionResetError() | BrokenPipeError() if tls:
            return "it disconnected during the TLS handshake; does this port speak TLS?"
        case _:
            return f"unreachable: {_strerror(error)}"
