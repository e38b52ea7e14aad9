# ruff: noqa: T201 - a command line module
"""Writes who may do what at a clustered broker, from lines of a name and a password:

    python3 deploy/users.py rabbitmq <passwords >definitions.json
    python3 deploy/users.py nats <passwords >users.conf

`desk` and `controller` read everything, `operator` sends commands too; every other name is a
device, which writes below its own topic, hears its own commands, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Iterable
from typing import Any

READERS = ("desk", "controller", "operator")
_SILENT = ("desk", "controller")
_VHOST = "/"
_TOPICS = "amq.topic"


def main(broker: str, lines: Iterable[str]) -> str:
    """Return the content of the file for `broker`, `rabbitmq` or `nats`.

    Raises ValueError where a line is not a name and a password.
    """
    passwords = dict(map(_user, filter(str.strip, lines)))
    content = {"rabbitmq": _rabbitmq, "nats": _nats}[broker](passwords)
    return json.dumps(content, indent=1)


def _user(line: str) -> tuple[str, str]:
    name, _, password = line.strip().partition(" ")
    # RabbitMQ takes a dot in a topic for a slash, NATS allows none in a client id.
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not password:
        raise ValueError(f"{name}: a name of letters, digits, _ and -, then a blank and a password")
    return name, password


def _nats(passwords: dict[str, str]) -> dict[str, Any]:
    return {
        "users": [
            {
                "user": name,
                "password": password,
                "allowed_connection_types": ["MQTT"],
                "permissions": _nats_rules(name),
            }
            for name, password in passwords.items()
        ]
    }


def _nats_rules(name: str) -> dict[str, Any]:
    # Behind a subscription with QoS 1 is one below $MQTT.sub; `#` is the level above it, too.
    everything = ["tensormask", "tensormask.>", "$MQTT.sub.>"]
    if name in _SILENT:
        # An empty list would allow everything.
        return {"publish": {"deny": [">"]}, "subscribe": everything}
    if name == "operator":
        return {"publish": ["tensormask.*.command.*"], "subscribe": everything}
    return {
        "publish": [f"tensormask.{name}.>"],
        "subscribe": [f"tensormask.{name}.command.*", "$MQTT.sub.>"],
    }


def _rabbitmq(passwords: dict[str, str]) -> dict[str, Any]:
    return {
        "vhosts": [{"name": _VHOST}],
        "users": [
            {
                "name": name,
                "password_hash": _rabbitmq_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
            for name, password in passwords.items()
        ],
        "permissions": [
            {"user": name, "vhost": _VHOST, **_rabbitmq_rules(name)} for name in passwords
        ],
        "topic_permissions": [
            {"user": name, "vhost": _VHOST, "exchange": _TOPICS, **_rabbitmq_topics(name)}
            for name in passwords
        ],
    }


def _rabbitmq_rules(name: str) -> dict[str, str]:
    """Allow the exchange, and the queues of one's own client id, whose subscriptions they are."""
    client_id = f"{name}[^/]*" if name in READERS else f"tensormask-{name}"
    queue = f"mqtt-subscription-{client_id}qos[01]"
    both = f"^(amq\\.topic|{queue})$"
    return {"configure": f"^{queue}$", "write": both, "read": both}


def _rabbitmq_topics(name: str) -> dict[str, str]:
    """Between the levels of a topic there are dots in here."""
    if name in _SILENT:
        return {"write": "^$", "read": r"^tensormask\."}
    if name == "operator":
        return {"write": r"^tensormask\.[^.]+\.command\.[^.]+$", "read": r"^tensormask\."}
    return {"write": r"^tensormask\.{username}\.", "read": r"^tensormask\.{username}\.command\."}


def _rabbitmq_hash(password: str) -> str:
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


if __name__ == "__main__":
    if sys.argv[1:] not in (["rabbitmq"], ["nats"]):
        sys.exit("which broker? deploy/users.py rabbitmq or nats")
    try:
        print(main(sys.argv[1], sys.stdin))
    except ValueError as problem:
        sys.exit(str(problem))
