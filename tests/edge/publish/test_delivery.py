"""The order of delivery, where the disk comes and goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.publish.broker import Backoff
from edge.publish.delivery import Delivery, Sent
from edge.publish.outbox.outbox import RETRY_S, Outbox
from edge.publish.outbox.rows import StoredDocument
from edge.publish.standing import BrokerStanding
from tests.edge.publish.outbox.faulty import Disk, Faults
from tests.edge.publish.outbox.test_outbox import Hands
from tests.fakes import TurnedClock

TOPIC = "tensormask/door-1/violation"


def test_what_a_disk_gives_back_goes_before_what_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock, hands = tmp_path / "outbox.sqlite", TurnedClock(), Hands()
    faults = Faults(monkeypatch)

    def put(text: str) -> int:
        return outbox.append(TOPIC, lambda sequence: text.encode())

    outbox = Outbox(path, now=hands)
    old = [put(text) for text in ("old", "older")]
    outbox.close()
    faults.disk = Disk.GONE
    outbox = Outbox(path, now=hands)
    backoff = Backoff()
    standing = BrokerStanding("broker", "door-1", backoff, clock)
    delivery = Delivery(outbox, "tensormask/door-1", 10_000.0, "broker", standing, backoff, clock)
    received: list[int] = []

    def post(sent: Sent, document: StoredDocument) -> bool:
        received.append(document.sequence)
        return True

    delivery.begin()
    from_memory = put("from memory")
    delivery.send(10, True, post)
    assert received == [from_memory]
    faults.disk = Disk.WORKS
    hands.pass_by(RETRY_S)
    new = put("new")
    # As long as the broker has not acknowledged one, something is on its way.
    delivery.send(10, False, post)
    assert received == [from_memory], "the older ones go first, once it has"
    delivery.settle([from_memory], [])
    delivery.send(10, True, post)
    assert received == [from_memory, *old, new]
    delivery.send(10, False, post)
    assert received == [from_memory, *old, new], "each once"
    newest = put("newest")
    delivery.send(10, False, post)
    assert received[-1] == newest
    outbox.close()
