"""The publisher and a broker that answers by a script; `tests/broker` has real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from edge.config import MqttSettings
from edge.publish.answers import Acknowledgement, BrokerRefusal, Turn
from edge.publish.mailbox import Retained
from edge.publish.messages import ModelIdentity, Origin
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.rows import StoredDocument
from edge.publish.publisher import MqttPublisher
from edge.publish.terms import Terms
from tests.fakes import ScriptedAccess, ScriptedConnection, TurnedClock

ORIGIN = Origin("door-1", "", "", ModelIdentity(name="m", version="1", sha256="0" * 64))
OURS, FORMER = "tensormask/door-1/violation", "tensormask/dor-1/violation"
NOT_AUTHORIZED = BrokerRefusal(0x87, "not authorized")
QUOTA = BrokerRefusal(0x97, "quota exceeded")
BAD_FORMAT = BrokerRefusal(0x99, "payload format invalid")
VAGUE = BrokerRefusal(0x83, "implementation specific error")

Sent = dict[int, tuple[str, bytes]]
Script = Callable[[Sent], Turn]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


class Broker:
    """Acknowledges each message once, at the next turn, unless its text is refused."""

    def __init__(self, **refusals: BrokerRefusal) -> None:
        self._refusals = {text.encode(): refusal for text, refusal in refusals.items()}
        self._answered: set[int] = set()

    def __call__(self, sent: Sent) -> Turn:
        new = sent.keys() - self._answered
        self._answered |= new
        return Turn(
            [Acknowledgement(number, self._refusals.get(sent[number][1])) for number in sorted(new)]
        )


def silence(sent: Sent) -> Turn:
    return Turn()


class Rig:
    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.clock = TurnedClock()
        self._publishers: list[MqttPublisher] = []

    def put(self, text: str, topic: str = OURS) -> int:
        return self.outbox.append(topic, lambda sequence: text.encode())

    def connection(self, *script: Script, **limits: int) -> ScriptedConnection:
        return ScriptedConnection(script, self.clock, **limits)

    def publisher(self, *connections: ScriptedConnection) -> MqttPublisher:
        made = MqttPublisher(
            MqttSettings(host="broker.example", replay_per_s=10_000.0),
            ORIGIN,
            self.outbox,
            self.clock,
            lambda: True,
            access=ScriptedAccess(*connections),
        )
        self._publishers.append(made)
        return made

    def close(self) -> None:
        for publisher in self._publishers:
            publisher.close()

    def waiting(self) -> list[bytes]:
        return [document.payload for document in self.outbox.pending(100)]


@pytest.fixture
def rig(outbox: Outbox) -> Iterator[Rig]:
    made = Rig(outbox)
    yield made
    made.close()


def documents(connection: ScriptedConnection) -> list[bytes]:
    return [payload for topic, payload in connection.sent.values() if topic.endswith("/violation")]


def test_a_message_refused_for_itself_is_kept_apart_and_the_others_arrive(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("a", "bad", "c"):
        rig.put(text)
    connection = rig.connection(*[Broker(bad=BAD_FORMAT)] * 5)
    rig.publisher(connection).hold_a_connection()
    assert documents(connection) == [b"a", b"bad", b"c"], "each once"
    assert rig.waiting() == []
    assert rig.outbox.state().refused == 1
    assert caplog.text.count("message 2 (payload format invalid): the message is quarantined") == 1


@pytest.mark.parametrize("refusal", [NOT_AUTHORIZED, QUOTA])
def test_a_refusal_for_all_waits_and_loses_no_acknowledgement(
    rig: Rig, refusal: BrokerRefusal, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("a", "no", "c"):
        rig.put(text)
    connection = rig.connection(*[Broker(no=refusal)] * 130)
    rig.publisher(connection).hold_a_connection()
    assert rig.waiting() == [b"no"]
    assert rig.outbox.state().refused == 0
    assert 2 <= documents(connection).count(b"no") <= 5, "once in 30 to 60 s, of 130"
    assert caplog.text.count("messages stay in the outbox") == 1


def test_while_all_are_refused_a_single_document_is_tried_again(rig: Rig) -> None:
    for _ in range(10):
        rig.put("no")
    connection = rig.connection(*[Broker(no=NOT_AUTHORIZED)] * 65)
    rig.publisher(connection).hold_a_connection()
    assert 10 < len(documents(connection)) <= 13
    assert len(rig.waiting()) == 10


def test_a_vague_refusal_sets_aside_only_while_the_broker_takes_others(rig: Rig) -> None:
    rig.put("odd")
    alone, others = (rig.connection(*[Broker(odd=VAGUE)] * 150) for _ in range(2))
    publisher = rig.publisher(alone, others)
    publisher.hold_a_connection()
    assert rig.waiting() == [b"odd"], "it may be the broker"
    assert 2 < len(documents(alone)) < 7
    for text in ("good", "better"):
        rig.put(text)
    publisher.hold_a_connection()
    assert rig.waiting() == []
    assert rig.outbox.state().refused == 1
    assert documents(others)[0] == b"good", "the one behind it tells"


def test_a_broker_that_vaguely_refuses_all_and_recovers_loses_none(rig: Rig) -> None:
    broken, whole = Broker(a=VAGUE, b=VAGUE, c=VAGUE), Broker()
    for text in ("a", "b", "c"):
        rig.put(text)
    connection = rig.connection(*[broken] * 200, *[whole] * 70)
    rig.publisher(connection).hold_a_connection()
    assert rig.waiting() == []
    assert rig.outbox.state().refused == 0


def cleared(connection: ScriptedConnection) -> list[str]:
    return [topic for topic, payload in connection.sent.values() if not payload]


def test_topics_are_cleared_after_all_else(rig: Rig) -> None:
    connection = rig.connection(*[Broker()] * 5)
    publisher = rig.publisher(connection)
    for name in ("availability", "health"):
        publisher.publish_retained(Retained(f"tensormask/dor-1/{name}", b""))
    rig.put("a")
    publisher.hold_a_connection()
    topics = [topic for topic, _ in connection.sent.values()]
    assert topics[-2:] == ["tensormask/dor-1/availability", "tensormask/dor-1/health"]
    assert rig.waiting() == []
    assert publisher.mailbox.is_empty


def test_a_broker_that_disconnects_at_a_clearing_gets_the_messages_and_is_not_asked_for_ever(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    connections = [rig.connection(Broker()) for _ in range(3)]
    publisher = rig.publisher(*connections)
    publisher.publish_retained(Retained("tensormask/dor-1/health", b""))
    rig.put("a")
    for _ in connections:
        publisher.hold_a_connection()
    assert rig.waiting() == []
    assert [len(cleared(each)) for each in connections] == [1, 1, 0]
    assert caplog.text.count("rejected clearing tensormask/dor-1/health") == 1


def test_all_messages_count_against_what_the_broker_takes(rig: Rig) -> None:
    for number in range(30):
        rig.put(f"{number}")
    connection = rig.connection(silence, silence, *[Broker()] * 40, receive_maximum=10)
    publisher = rig.publisher(connection)
    for name in ("health", "compliance", "x", "y"):
        publisher.publish_state(name, b"{}")
        publisher.respond(b"{}")
    publisher.hold_a_connection()
    assert connection.most_unanswered == 10
    assert rig.waiting() == []
    assert len(connection.sent) == 1 + 4 + 4 + 30


def test_documents_of_a_former_id_go_last_and_one_at_a_time(rig: Rig) -> None:
    for text in ("old 1", "old 2"):
        rig.put(text, FORMER)
    rig.put("new")
    connection = rig.connection(*[Broker()] * 4)
    rig.publisher(connection).hold_a_connection()
    assert documents(connection) == [b"new", b"old 1", b"old 2"]
    assert connection.most_unanswered == 2, "availability and the new one"
    assert rig.waiting() == []


def test_a_message_of_a_former_id_that_is_refused_is_kept_apart(rig: Rig) -> None:
    rig.put("no", FORMER)
    connection = rig.connection(*[Broker(no=NOT_AUTHORIZED)] * 3)
    rig.publisher(connection).hold_a_connection()
    assert rig.waiting() == []
    assert rig.outbox.state().refused == 1


def test_a_message_of_a_former_id_that_ends_two_connections_is_kept_apart(rig: Rig) -> None:
    rig.put("old", FORMER)
    ends = [rig.connection(Broker()) for _ in range(2)]
    publisher = rig.publisher(*ends)
    publisher.hold_a_connection()
    assert rig.waiting() == [b"old"], "once may be the network's fault"
    publisher.hold_a_connection()
    assert [documents(connection) for connection in ends] == [[b"old"], [b"old"]]
    assert rig.waiting() == []
    assert rig.outbox.state().refused == 1


def test_it_can_be_closed_whenever_and_as_often_as_one_likes(rig: Rig) -> None:
    publisher = rig.publisher()
    publisher.close()
    publisher.close()


def test_a_broker_that_acknowledges_nothing_is_left(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a")
    connection = rig.connection(*[silence] * 60)
    assert rig.publisher(connection).hold_a_connection() <= 60
    assert 30 <= rig.clock.now_s <= 32
    assert rig.waiting() == [b"a"]
    assert "has acknowledged none for 30 s" in caplog.text


def test_a_message_too_large_goes_without_its_picture_or_is_kept_apart(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put(json.dumps({"sequence": 1, "snapshot": "/9j/" * 1000}))
    rig.put(json.dumps({"sequence": 2, "more": "x" * 4000, "snapshot": "/9j/"}))
    connection = rig.connection(*[Broker()] * 3, maximum_packet_bytes=1000)
    publisher = rig.publisher(connection)
    publisher.respond(json.dumps({"request_id": "a", "snapshot": "/9j/" * 1000}).encode())
    publisher.hold_a_connection()
    assert documents(connection) == [b'{"sequence":1,"snapshot":null}']
    assert b'{"request_id":"a","snapshot":null}' in [sent[1] for sent in connection.sent.values()]
    assert caplog.text.count("message 1 is sent without its picture") == 1
    assert "message 2 (packet too large): the message is quarantined" in caplog.text
    assert rig.waiting() == []


class BusyOutbox(Outbox):
    """Is given its next document just after somebody has seen it empty; None: not this time."""

    coming: ClassVar[list[bytes | None]] = []

    def pending(self, limit: int, after: int = 0) -> list[StoredDocument]:
        found = super().pending(limit, after)
        payload = self.coming.pop(0) if not found and self.coming else None
        if payload is not None:
            self.append(OURS, lambda sequence: payload)
        return found


def test_a_document_that_comes_while_the_outbox_is_looked_at_goes_out_once(tmp_path: Path) -> None:
    outbox = BusyOutbox(tmp_path / "outbox.sqlite")
    outbox.coming[:] = [None, b"a", None, b"b"]
    rig = Rig(outbox)
    script: list[Script] = [Broker(), silence] * 8
    connection = rig.connection(*script)
    rig.publisher(connection).hold_a_connection()
    assert documents(connection) == [b"a", b"b"]
    rig.close()
    outbox.close()


def test_where_the_broker_keeps_nothing_states_are_said_again(rig: Rig) -> None:
    keeps, keeps_nothing = (rig.connection(*[Broker()] * 130) for _ in range(2))
    keeps_nothing.terms = Terms(retains=False)
    publisher = rig.publisher(keeps, keeps_nothing)
    publisher.publish_state("health", b"{}")
    for connection, times in ((keeps, 1), (keeps_nothing, 3)):
        publisher.hold_a_connection()
        topics = [topic.rpartition("/")[2] for topic, _ in connection.sent.values()]
        assert (topics.count("availability"), topics.count("health")) == (times, times)
