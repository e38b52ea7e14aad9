"""`tensormask forget`: the broker keeps nothing of a device that is taken down."""

from __future__ import annotations

import random

from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import Settings
from edge.errors import BrokerError
from edge.publish.broker import BrokerAccess
from edge.publish.connection import Connection
from edge.publish.messages import retained_topics

TIMEOUT_S = 5.0


def forget(settings: Settings, clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """Clear what the broker retains of the configured device; return the topics.

    The service is to be stopped: it would retain it again. Raises ConfigError, and BrokerError
    where the broker is away or does not allow it.
    """
    topics = retained_topics(settings.mqtt.topic_prefix, settings.device.id)
    access = BrokerAccess(settings.mqtt)
    connection = access.connect(f"tensormask-forget-{random.getrandbits(32):08x}", None, TIMEOUT_S)
    try:
        if connection.terms.retains:  # else nothing is kept
            _clear(connection, topics, clock)
        connection.leave(timeout_s=1.0)
    finally:
        connection.drop()
    return topics


def _clear(connection: Connection, topics: list[str], clock: Clock) -> None:
    waiting = {connection.publish(topic, b"", retain=True): topic for topic in topics}
    until_s = clock.monotonic_s() + TIMEOUT_S
    while waiting:
        left_s = until_s - clock.monotonic_s()
        if left_s <= 0:
            raise BrokerError(f"the broker has not acknowledged within {TIMEOUT_S:g} s")
        for answer in connection.turn(left_s).acknowledgements:
            topic = waiting.pop(answer.message_id, "")
            if answer.refusal is not None:
                raise BrokerError(f"the broker does not let us clear {topic}: {answer.refusal}")
