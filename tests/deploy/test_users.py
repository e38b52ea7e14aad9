"""deploy/users.py; what its rules allow at real brokers `make clusters` tries."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from deploy.users import main

PASSWORDS = ["desk d", "controller c", "operator o", "door-1 two words", ""]


def test_rabbitmq_knows_a_password_by_its_salted_digest() -> None:
    users = json.loads(main("rabbitmq", PASSWORDS))["users"]
    assert [user["name"] for user in users] == [
        "desk",
        "controller",
        "operator",
        "door-1",
    ]
    salted = base64.b64decode(users[3]["password_hash"])
    assert salted[4:] == hashlib.sha256(salted[:4] + b"two words").digest()


@pytest.mark.parametrize(
    ("name", "topic", "writes", "reads"),
    [
        ("door-1", "tensormask.door-1.violation", True, False),
        ("door-1", "tensormask.door-1.command.*", True, True),
        ("door-1", "tensormask.door-10.violation", False, False),
        ("door-1", "tensormask.#", False, False),
        ("desk", "tensormask.door-1.violation", False, True),
        ("desk", "tensormask.#", False, True),
        ("controller", "tensormask.door-1.violation", False, True),
        ("operator", "tensormask.door-1.command.pause", True, True),
        ("operator", "tensormask.door-1.violation", False, True),
    ],
)
def test_rabbitmq_allows_a_topic(name: str, topic: str, writes: bool, reads: bool) -> None:
    rules = json.loads(main("rabbitmq", PASSWORDS))["topic_permissions"]
    (rule,) = (rule for rule in rules if rule["user"] == name)
    write, read = (rule[way].replace("{username}", name) for way in ("write", "read"))
    assert (bool(re.search(write, topic)), bool(re.search(read, topic))) == (writes, reads)


def test_rabbitmq_allows_the_queue_of_a_program_that_waits_for_a_box() -> None:
    permissions = json.loads(main("rabbitmq", PASSWORDS))["permissions"]
    (rule,) = (rule for rule in permissions if rule["user"] == "controller")
    # deploy/heard.py connects under such a client id.
    queue = "mqtt-subscription-controller-heard-0123abcdqos1"
    assert all(re.search(rule[way], queue) for way in ("configure", "write", "read"))


def test_nats_is_told_whom_to_let_in_and_what_for() -> None:
    users = {user["user"]: user for user in json.loads(main("nats", PASSWORDS))["users"]}
    assert users["desk"]["permissions"]["publish"] == {"deny": [">"]}
    assert users["door-1"] == {
        "user": "door-1",
        "password": "two words",
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": ["tensormask.door-1.>"],
            "subscribe": ["tensormask.door-1.command.*", "$MQTT.sub.>"],
        },
    }


@pytest.mark.parametrize("line", ["door.1 x", "door/1 x", "# x", "door-1", "door-1 "])
def test_a_name_that_a_broker_would_take_for_another_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="a name of letters"):
        main("nats", [line])
