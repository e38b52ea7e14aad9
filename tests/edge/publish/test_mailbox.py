from __future__ import annotations

from edge.publish.answers import Received
from edge.publish.mailbox import MAX_WAITING, Entrusted, Mailbox, Retained, Route

HEALTH = Retained("tensormask/door/health", b"1")
DISCOVERY = Retained("homeassistant/device/door/config", b"{}")


def test_only_the_latest_of_a_topic_goes_out_and_again_with_each_connection() -> None:
    mailbox = Mailbox()
    mailbox.retain(Retained(HEALTH.topic, b"0"))
    mailbox.retain(HEALTH)
    mailbox.retain(DISCOVERY)
    assert mailbox.due([], 1) == [DISCOVERY]
    assert mailbox.due([], 9) == [HEALTH]
    assert mailbox.due([], 9) == []
    assert mailbox.is_empty
    mailbox.renew()
    assert mailbox.due([HEALTH.topic], 9) == [DISCOVERY], "its last one has not arrived"
    assert mailbox.due([], 9) == [HEALTH]


def test_a_topic_is_cleared_once() -> None:
    mailbox = Mailbox()
    cleared = Retained(HEALTH.topic, b"")
    mailbox.retain(cleared)
    assert not mailbox.is_cleared(HEALTH.topic)
    assert mailbox.due([], 9) == [], "there is a time for that"
    assert mailbox.is_clearing
    assert mailbox.due([], 9, clearing=True) == [cleared]
    assert not mailbox.is_clearing
    mailbox.renew()
    assert mailbox.due([], 9, clearing=True) == [cleared], "no answer before the connection's end"
    mailbox.settle(cleared)
    mailbox.renew()
    assert mailbox.due([], 9) == []
    assert mailbox.is_cleared(HEALTH.topic)


def test_what_is_retained_after_a_clearing_stays() -> None:
    mailbox = Mailbox()
    cleared = Retained(HEALTH.topic, b"")
    mailbox.retain(cleared)
    mailbox.due([], 9, clearing=True)
    mailbox.retain(HEALTH)
    mailbox.settle(cleared)
    assert mailbox.due([], 9) == [HEALTH]


def test_a_message_goes_where_its_route_is_read_and_is_bounded() -> None:
    commands, status = Route("tensormask/door/command/+", 3), Route("homeassistant/status", 100)
    mailbox = Mailbox([commands, status])
    for _ in range(MAX_WAITING + 5):
        mailbox.deliver(Received("tensormask/door/command/pause", b"12345"))
    mailbox.deliver(Received("homeassistant/status", b"online"))
    mailbox.deliver(Received("elsewhere", b"?"))
    assert [message.payload for message in mailbox.take(commands)] == [b"1234"] * MAX_WAITING
    assert [message.payload for message in mailbox.take(status)] == [b"online"]
    assert list(mailbox.take(status)) == []


def test_messages_for_once_are_bounded_and_go_in_order() -> None:
    mailbox = Mailbox()
    for number in range(MAX_WAITING + 5):
        mailbox.post("t", b"%d" % number)
    sent = []
    while message := mailbox.next_once():
        sent.append(message[1])
    assert sent == [b"%d" % number for number in range(MAX_WAITING)]


def test_what_is_entrusted_goes_out_with_each_connection_until_it_is_taken() -> None:
    mailbox = Mailbox()
    hour = Entrusted("tensormask/door/hour", b"12")
    mailbox.entrust(hour)
    assert mailbox.due([], 9) == [hour]
    assert not mailbox.await_taken(hour, 0.0)
    mailbox.renew()
    assert mailbox.due([], 9) == [hour]
    mailbox.settle(hour)
    assert mailbox.await_taken(hour, 0.0)
    mailbox.renew()
    assert mailbox.is_empty
    later = Entrusted(hour.topic, b"13")
    mailbox.entrust(later)
    mailbox.settle(hour)
    assert not mailbox.await_taken(later, 0.0), "that was the one before"
