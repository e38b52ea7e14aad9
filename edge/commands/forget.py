"""`tensormask forget`: the broker keeps nothing of a device that is taken down."""

from __future__ import annotations

import argparse
import random
import time

from edge.address import is_this_machine
from edge.commands.options import add_config
from edge.commands.parser import Parser
from edge.config import Settings, load_settings
from edge.daemon.announced import FILE, announced_in
from edge.daemon.home_assistant import topics_of
from edge.errors import BrokerError, TensorMaskError
from edge.host.status_file import read_telemetry
from edge.publish.broker import BrokerAccess
from edge.publish.connection import Connection
from edge.publish.messages import retained_topics
from edge.telemetry import Telemetry

TIMEOUT_S = 5.0


class InUseError(TensorMaskError):
    """Stop the service first, which goes on under that name."""


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "sudo tensormask forget")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    for topic in forget(load_settings(options.config), read_telemetry()):
        print(f"cleared {topic}")  # noqa: T201 - a command's output
    return 0


def forget(settings: Settings, telemetry: Telemetry | None = None) -> list[str]:
    """Clear what the broker retains of the configured device; return the topics.

    `telemetry` is that of the service that runs here. Raises InUseError where that is this device:
    it would tell its states again, but `online` with its next connection only. Raises ConfigError,
    and BrokerError, which names the command that clears it from elsewhere.
    """
    _refuse_in_use(settings.device.id, telemetry)
    own = retained_topics(settings.mqtt.topic_prefix, settings.device.id)
    # What earlier starts announced too, unless another device runs here, whose it is then.
    file = settings.outbox.file.with_name(FILE)
    announced = announced_in(file) if telemetry is None else ()
    # The announcement first: Home Assistant is to know why the states are empty.
    topics = [*dict.fromkeys([*topics_of(settings), *announced, *own])]
    try:
        _connect_and_clear(settings, topics)
    except BrokerError as error:
        raise BrokerError(f"{error}; {_remedy(settings, topics)}") from error
    return topics


def _refuse_in_use(device_id: str, telemetry: Telemetry | None) -> None:
    if telemetry is None or telemetry.in_use is None or telemetry.in_use.device_id != device_id:
        return
    raise InUseError(
        f"the service runs as {device_id}, and would publish its states again; stop the service "
        "first: sudo systemctl stop tensormask"
    )


def _remedy(settings: Settings, topics: list[str]) -> str:
    """Return how the same is done by hand."""
    names = " ".join(topics)
    place = f"-h {settings.mqtt.host} -p {settings.mqtt.broker_port}"
    where = "on this machine" if is_this_machine(settings.mqtt.host) else "from any machine"
    return (
        f"the retained messages of {settings.device.id} stay; clear them later, {where}, with "
        f"-u, -P and --cafile if the broker needs them: for topic in {names}; do mosquitto_pub "
        f"{place} -r -n -t $topic; done"
    )


def _connect_and_clear(settings: Settings, topics: list[str]) -> None:
    access = BrokerAccess(settings.mqtt)
    connection = access.connect(f"tensormask-forget-{random.getrandbits(32):08x}", None, TIMEOUT_S)
    try:
        if connection.terms.retains:  # else nothing is kept
            _clear(connection, topics)
        connection.leave(timeout_s=1.0)
    finally:
        connection.drop()


def _clear(connection: Connection, topics: list[str]) -> None:
    waiting = {connection.publish(topic, b"", retain=True): topic for topic in topics}
    until_s = time.monotonic() + TIMEOUT_S
    while waiting:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise BrokerError(f"the broker did not acknowledge within {TIMEOUT_S:g} s")
        for answer in connection.turn(left_s).acknowledgements:
            topic = waiting.pop(answer.message_id, "")
            if answer.refusal is not None:
                raise BrokerError(f"the broker rejected clearing {topic}: {answer.refusal}")
