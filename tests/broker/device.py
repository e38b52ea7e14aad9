# ruff: noqa: T201 - its output is what the tests read
"""A device without a camera: in this process, or one that can be killed.

`python -m tests.broker.device` says the sequence of each document that is accepted, a line each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from edge.config import MqttSettings
from edge.publish.broker import Backoff
from edge.publish.messages import VIOLATION, encode, topic, violation_message
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.samples import ORIGIN, a_violation

QUICK = {"host": "127.0.0.1", "replay_per_s": 10_000.0}


class Device:
    """A publisher with its outbox."""

    def __init__(
        self, outbox_path: Path, settings: MqttSettings, backoff: Backoff | None = None
    ) -> None:
        self.outbox = Outbox(outbox_path)
        self.publisher = MqttPublisher(
            settings, ORIGIN, self.outbox, backoff=backoff or Backoff(first_s=0.1, longest_s=4.0)
        )
        self._accepted = 0
        self.publisher.start()

    def report(self, count: int) -> list[int]:
        """Accept this many documents, and return their sequences."""
        return [self._accept() for _ in range(count)]

    def _accept(self) -> int:
        violation = a_violation(self._accepted)
        self._accepted += 1
        sequence = self.outbox.append(
            topic("tensormask", ORIGIN.device_id, VIOLATION),
            lambda sequence: encode(violation_message(ORIGIN, violation, sequence, True)),
        )
        self.publisher.wake()
        return sequence

    def waiting(self) -> int:
        return self.outbox.state().rows

    def close(self, timeout_s: float = 3.0) -> None:
        self.publisher.close(timeout_s)
        self.outbox.close()


def main(port: int, outbox_path: Path, count: int, every_s: float) -> None:
    device = Device(outbox_path, MqttSettings(port=port, **QUICK))  # type: ignore[arg-type]
    for _ in range(count):
        print(*device.report(1), flush=True)
        time.sleep(every_s)
    sys.stdin.read()  # until we are killed, or told to end
    device.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
