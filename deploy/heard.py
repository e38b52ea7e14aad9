# ruff: noqa: T201 - a command line module
"""Waits until a device has said over MQTT that it is well: online, with a camera that gives frames.

    python -m deploy.heard DEVICE --broker HOST[:PORT] | --config FILE [--within 120]

Exit status 1, with what was heard last, where it has not in time. What the broker has kept of it
counts: a device that vanished is well until the broker has noticed, within its keepalive.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from contextlib import suppress
from pathlib import Path

from edge.config import MqttSettings, broker_at, load_settings
from edge.errors import BrokerError, TensorMaskError
from edge.files import DamagedFileError, decoded
from edge.publish.broker import BrokerAccess
from edge.publish.messages import (
    AVAILABILITY,
    HEALTH,
    AvailabilityMessage,
    AvailabilityState,
    HealthMessage,
    topic,
)
from edge.telemetry import CameraState

POLL_S = 0.5


def wait(mqtt: MqttSettings, device_id: str, within_s: float) -> str:
    """Return what it says when it is well. Raises BrokerError when it has not said so in time."""
    until_s = time.monotonic() + within_s
    heard = "nothing"
    state = AvailabilityState.OFFLINE
    topics = [topic(mqtt.topic_prefix, device_id, kind) for kind in (AVAILABILITY, HEALTH)]
    # Brokers that bind a client id to its user go by how it begins.
    user = mqtt.username or "tensormask"
    connection = BrokerAccess(mqtt).connect(f"{user}-heard-{random.getrandbits(32):08x}")
    try:
        connection.subscribe(topics)
        while time.monotonic() < until_s:
            arrivals = connection.turn(POLL_S)
            if arrivals.denial is not None:
                raise BrokerError(f"{arrivals.denial}; may this user read {mqtt.topic_prefix}/#?")
            for message in arrivals.messages:
                content = _read(message.payload)
                if isinstance(content, AvailabilityMessage):
                    state = content.state
                    heard = f"is {state}"
                elif isinstance(content, HealthMessage) and state is AvailabilityState.ONLINE:
                    heard = f"camera {content.camera.state}, {content.fps:.1f} fps"
                    if content.camera.state is CameraState.RUNNING:
                        return f"{device_id} is well: {heard}, {content.versions.program}"
    finally:
        connection.leave(timeout_s=1.0)
        connection.drop()
    raise BrokerError(f"{device_id} did not report within {within_s:g} s that it is well: {heard}")


def _read(payload: bytes) -> AvailabilityMessage | HealthMessage | None:
    kinds: tuple[type[AvailabilityMessage | HealthMessage], ...] = (
        AvailabilityMessage,
        HealthMessage,
    )
    for kind in kinds:
        with suppress(DamagedFileError):
            return decoded(payload, kind)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Wait until a device reports that it is well.")
    parser.add_argument("device")
    broker = parser.add_mutually_exclusive_group(required=True)
    broker.add_argument("--broker", metavar="HOST[:PORT]")
    broker.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--within", type=float, default=120.0, metavar="SECONDS")
    options = parser.parse_args()
    try:
        mqtt = broker_at(options.broker) if options.broker else load_settings(options.config).mqtt
        print(wait(mqtt, options.device, options.within))
    except TensorMaskError as error:
        print(f"deploy.heard: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
