# ruff: noqa: T201 - its output is what the tests read
"""A device without a camera, as a process that can be killed: `python -m tests.broker.device`.

It says the sequence of each document once that is accepted, a line each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from edge.config import MqttSettings
from edge.messages import VIOLATION, encode, topic, violation_message
from edge.publish import MqttPublisher
from edge.spool import Outbox
from tests.broker.samples import ORIGIN, a_violation


def main(port: int, outbox_path: Path, count: int, every_s: float) -> None:
    outbox = Outbox(outbox_path)
    publisher = MqttPublisher(MqttSettings(host="127.0.0.1", port=port), ORIGIN, outbox)
    publisher.start()
    for number in range(count):
        violation = a_violation(number)
        sequence = outbox.append(
            topic("tensormask", ORIGIN.device_id, VIOLATION),
            lambda sequence, violation=violation: encode(
                violation_message(ORIGIN, violation, sequence, True)
            ),
        )
        publisher.wake()
        print(sequence, flush=True)
        time.sleep(every_s)
    sys.stdin.read()  # until we are killed, or told to end
    publisher.close()
    outbox.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
