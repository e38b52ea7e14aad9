"""One connection to an MQTT broker, over paho-mqtt, from CONNECT to its end.

paho keeps unacknowledged messages over a reconnect, in memory and without a bound, and reconnects
without jitter. So every connection here is a client of its own, which forgets all at its end: what
is sent again, and when, is decided by the owner of the messages.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.errors import BrokerError
from edge.publish.answers import (
    Acknowledgement,
    BrokerRefusal,
    DisconnectedError,
    MqttVersion,
    NoAnswerError,
    Received,
    Turn,
    ended,
    refused,
)
from edge.publish.terms import ALL, Terms

_KEEPALIVE = 0x8D
_FIRST_REFUSAL = 0x80
_MAX_PACKET_BYTES = 268_435_460
"""What MQTT itself allows."""
_MAX_HEADER_BYTES = 10
"""Of a PUBLISH with QoS 1 and no properties: type, length, the topic's length, id, properties."""


class Pollable(Protocol):
    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained where it can, when we vanish."""

    topic: str
    payload: bytes


class Connection:
    """A connection from CONNECT to its end, for one thread. Nothing outlives it."""

    def __init__(
        self, client: PahoClient, version: MqttVersion, broker: str, terms: Terms = ALL
    ) -> None:
        self.version = version
        self.terms = terms
        """What it is used for; with MQTT 5 also what the broker says that it takes."""
        self.refusal_code: int | None = None
        """Why the broker has not accepted the connection, as its CONNACK says."""
        self.receive_maximum: int = 65535
        """How many unacknowledged messages the broker takes."""
        self.maximum_packet_bytes: int = _MAX_PACKET_BYTES
        """The largest message that it takes, with its topic and header."""
        self._client = client
        self._broker = broker
        self._accepted = False
        self._end: BrokerError | None = None
        self._arrivals = Turn()
        self._written: list[int] = []
        """Messages of QoS 0 since the last question whether the broker has read all."""
        self._asked: list[int] = []
        """Those before that question."""
        self._answer_due = 0
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send, with QoS 1 and retained as far as the broker takes that.

        Returns the id that its acknowledgement will have. With QoS 0 there is none from the broker:
        a PINGREQ follows, and its answer proves that what came before it was read.
        """
        qos, retain = self.terms.qos, retain and self.terms.retains
        message_id = self._client.publish(topic, payload, qos=qos, retain=retain).mid
        if not self.terms.confirms:
            self._written.append(message_id)
        return message_id

    def takes(self, topic: str, payload: bytes) -> bool:
        """Return whether the broker takes a message of this size."""
        size = _MAX_HEADER_BYTES + len(topic.encode()) + len(payload)
        return size <= self.maximum_packet_bytes

    def subscribe(self, topics: Sequence[str]) -> int | None:
        """Ask for messages with QoS 1; where the broker denies it, `Turn.denial` says why.

        Returns the id that the answer will have; None: the connection is over.
        """
        if self.version is MqttVersion.V5:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            return self._client.subscribe([(topic, options) for topic in topics])[1]
        return self._client.subscribe([(topic, 1) for topic in topics])[1]

    def turn(self, timeout_s: float, waker: Pollable | None = None) -> Turn:
        """Wait for traffic or for `waker`, at most `timeout_s`; send, receive, keep alive.

        Returns what came. Raises BrokerError once the connection is over and all that came before
        its end has been returned.
        """
        self._ask()
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
        self._note_answer()
        arrivals, self._arrivals = self._arrivals, Turn()
        if not arrivals.acknowledgements and not arrivals.messages:
            if self._end is not None:
                raise self._end
            if self._client.socket() is None:
                raise BrokerError(f"the broker {self._broker}: the connection was lost")
        return arrivals

    def await_answer(self, timeout_s: float) -> None:
        """Wait for the broker's CONNACK. Raises BrokerError: it rejects us, or none comes."""
        deadline_s = time.monotonic() + timeout_s
        while not self._accepted:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                text = f"no answer to {self.version} within {timeout_s:g} s"
                raise NoAnswerError(f"the broker {self._broker}: {text}", has_disconnected=False)
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
            self._read_terms(properties)
            return
        self.refusal_code = reason.value
        self._end = refused(self._broker, self.version, reason, properties)

    def _read_terms(self, properties: Properties | None) -> None:
        """Take what an accepting CONNACK says of the broker's limits; 3.1.1 has no properties."""
        self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
        self.maximum_packet_bytes = getattr(
            properties, "MaximumPacketSize", self.maximum_packet_bytes
        )
        self.terms = replace(
            self.terms,
            retains=self.terms.retains and getattr(properties, "RetainAvailable", 1) != 0,
            confirms=self.terms.confirms and getattr(properties, "MaximumQoS", 2) != 0,
        )

    def _ask(self) -> None:
        """Have the broker say that it has read what was written with QoS 0."""
        if self._written and not self._asked:
            self._asked, self._written = self._written, []
            self._answer_due = self._client.ask()

    def _note_answer(self) -> None:
        if self._asked and self._client.answers >= self._answer_due:
            proven, self._asked = self._asked, []
            self._arrivals.acknowledgements += [Acknowledgement(each, None) for each in proven]

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
        if flags.is_disconnect_packet_from_server:
            self._end = ended(self._broker, reason, properties)
        elif not self._accepted:
            self._end = NoAnswerError(
                f"the broker {self._broker} closed the connection without an answer; does it want "
                "TLS, or a client certificate?",
                has_disconnected=True,
            )
        elif reason.value == _KEEPALIVE:
            text = "the connection was lost: the broker does not answer"
            self._end = BrokerError(f"the broker {self._broker}: {text}")
        else:
            self._end = DisconnectedError(f"the broker {self._broker}: the connection was lost")

    def _on_publish(
        self,
        client: Client,
        userdata: Any,
        message_id: int,
        reason: ReasonCode,
        properties: Properties,
    ) -> None:
        if not self.terms.confirms:  # paho says only that it was written
            return
        is_refused = reason.value >= _FIRST_REFUSAL
        refusal = BrokerRefusal(reason.value, str(reason).lower()) if is_refused else None
        self._arrivals.acknowledgements.append(Acknowledgement(message_id, refusal))

    def _on_subscribe(
        self,
        client: Client,
        userdata: Any,
        message_id: int,
        reasons: list[ReasonCode],
        properties: Properties,
    ) -> None:
        self._arrivals.subscribed.append(message_id)
        denied = next((reason for reason in reasons if reason.value >= _FIRST_REFUSAL), None)
        if denied is not None:
            self._arrivals.denied.append(message_id)
            self._arrivals.denial = (
                f"the broker {self._broker} rejected the subscription: {str(denied).lower()}"
            )

    def _on_message(self, client: Client, userdata: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # forbidden, but then nobody has to obey
            return
        self._arrivals.messages.append(
            Received(topic, bytes(message.payload), bool(message.retain))
        )


class PahoClient(Client):
    """paho's, over a connection of ours: it would begin with the same address each time.

    It counts PINGREQs and their answers: a broker reads what it gets in order.
    """

    reach: Callable[[], socket.socket]
    questions = 0
    answers = 0

    def ask(self) -> int:
        """Send a PINGREQ; return how many answers there will be with its own."""
        self._send_pingreq()
        with self._msgtime_mutex:  # as paho does: else a keepalive due now would count as failed
            self._last_bytes_received = time.monotonic()
        return self.questions

    def _create_socket_connection(self) -> socket.socket:
        return self.reach()

    def _send_pingreq(self) -> MQTTErrorCode:
        self.questions += 1
        return super()._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        self.answers += 1
        return super()._handle_pingresp()
