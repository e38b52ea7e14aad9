"""The session that the broker has for this receiver: it keeps what we have not acknowledged."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from .documents import DURABLE, Delivered

LASTING = [f"tensormask/+/{kind}" for kind in DURABLE]
ALL = "tensormask/+/+"
MAX_BATCH = 200
"""The broker sends no more of what is to be acknowledged ahead of that."""
MAX_BATCH_BYTES = 16 * 1024 * 1024
"""And takes no more from it at once: pictures are large."""
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
"""Twice what the example of a broker takes; what is larger never comes."""
MAX_BATCH_S = 0.2
QUIET_S = 0.01
"""The broker waits for us where nothing comes for so long: it may send fewer at once."""
KEPT_S = 7 * 24 * 3600
"""How long the broker keeps the session of a receiver that does not come back."""
KEEPALIVE_S = 30
TIMEOUT_S = 5.0
_FIRST_REFUSAL = 0x80
_OF_LASTING, _OF_ALL = 1, 2


class SessionError(Exception):
    """The broker is away, or rejects the connection: one line that says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and how to get in."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Session:
    """A connection, and the messages that wait for an acknowledgement on it. For one thread.

    It is never used again: what was not acknowledged comes again, in the same order, on the next.
    Raises BrokerError.
    """

    def __init__(self, broker: Broker) -> None:
        self._name = f"{broker.host}:{broker.port}"
        self._arrived: list[Delivered] = []
        self._subscribed = 0
        self._end: str | None = None
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            broker.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = TIMEOUT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        kept = _properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=KEPT_S,
            ReceiveMaximum=MAX_BATCH,
            MaximumPacketSize=MAX_MESSAGE_BYTES,
        )
        try:
            client.connect(
                broker.host, broker.port, KEEPALIVE_S, clean_start=False, properties=kept
            )
        except OSError as error:
            raise SessionError(f"the broker {self._name}: {error}") from error
        until_s = time.monotonic() + TIMEOUT_S
        while self._subscribed <= len(LASTING):
            if time.monotonic() > until_s:
                raise SessionError(f"the broker {self._name}: no answer within {TIMEOUT_S:g} s")
            self._turn(TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()

    def batch(self) -> list[Delivered]:
        """Wait for messages, and return those that came close together, in their order."""
        while not self._arrived:
            self._turn(KEEPALIVE_S / 2)
        until_s = time.monotonic() + MAX_BATCH_S
        while not self._is_full and time.monotonic() < until_s:
            before = len(self._arrived)
            self._turn(QUIET_S)
            if len(self._arrived) == before:
                break
        arrived, self._arrived = self._arrived, []
        return arrived

    @property
    def _is_full(self) -> bool:
        size = sum(len(each.payload) for each in self._arrived)
        return len(self._arrived) >= MAX_BATCH or size >= MAX_BATCH_BYTES

    def acknowledge(self, batch: list[Delivered]) -> None:
        """Tell the broker that it may forget them."""
        for message in batch:
            if message.id:
                self._client.ack(message.id, qos=1)

    def _turn(self, timeout_s: float) -> None:
        code = self._client.loop(timeout_s)
        if self._end is not None:
            raise SessionError(f"the broker {self._name}: {self._end}")
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SessionError(f"the broker {self._name}: the connection was lost")

    def _on_connect(self, client: Client, data: Any, flags: Any, reason: Any, rest: Any) -> None:
        if reason.is_failure:
            self._end = f"the broker rejected the connection: {str(reason).lower()}"
            return
        # What happens is kept for us while we are away; states are not (QoS 0), so that they do not
        # take its place in the queue: the present ones come on each connection.
        lasting = ((topic, 1, _OF_LASTING) for topic in LASTING)
        for topic, qos, of in (*lasting, (ALL, 0, _OF_ALL)):
            named = _properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=of)
            client.subscribe(topic, options=SubscribeOptions(qos=qos), properties=named)

    def _on_subscribe(self, client: Client, data: Any, mid: int, reasons: Any, rest: Any) -> None:
        self._subscribed += 1
        if reasons[0].value >= _FIRST_REFUSAL:
            self._end = f"the broker rejected the subscription: {str(reasons[0]).lower()}"

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        of = getattr(message.properties, "SubscriptionIdentifier", None)
        if of == [_OF_ALL] and message.topic.endswith(tuple(f"/{kind}" for kind in DURABLE)):
            return  # A copy: it comes for the other subscription too.
        now = datetime.now(UTC)
        self._arrived.append(
            Delivered(message.topic, bytes(message.payload), message.retain, now, message.mid)
        )

    def _on_disconnect(self, client: Client, data: Any, flags: Any, reason: Any, rest: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = f"the broker disconnected: {str(reason).lower()}"


def _properties(packet: int, **values: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
