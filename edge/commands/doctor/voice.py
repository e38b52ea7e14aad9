"""The way to the broker, step by step: name, connection, TLS and its dates, credentials, rules."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

from edge.commands.checks import probe_as_service
from edge.commands.doctor.finding import (
    SETTINGS_FIRST,
    Finding,
    found_in,
    reported,
    well,
    wrong,
)
from edge.commands.permission import as_root, permission
from edge.conditions import Code, ending_soon
from edge.config import Settings
from edge.daemon.certificates import named, read
from edge.errors import BrokerError, ConfigError
from edge.host.in_use import broker_name, is_same_broker
from edge.publish.answers import BrokerRefusalError
from edge.secret import are_withheld
from edge.telemetry import Telemetry
from edge.words import count

TIMEOUT_S = 5.0
RULES = "the broker's access rules: this user may write below its own topic; its quotas"


def broker(settings: Settings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return what keeps documents from the broker.

    While the service is connected it is not disturbed: many brokers keep one connection of a name.
    """
    used = None if telemetry is None else telemetry.in_use
    where = None if settings is None else broker_name(settings)
    if settings is not None:
        yield from certificate(settings)
    if telemetry is not None:
        yield from waiting(telemetry)
        is_same = used is None or settings is None or is_same_broker(used, settings)
        if telemetry.broker.connected and is_same:
            yield from _in_use(telemetry, where or (used.broker if used else "its broker"))
            return
    if settings is not None:
        yield from _tried(settings, telemetry)
    elif telemetry is not None and telemetry.broker.trouble:
        trouble = telemetry.broker.trouble
        yield wrong("broker", Code.BROKER_AWAY, as_root(SETTINGS_FIRST), trouble=trouble)
    else:
        text = "not looked at: it takes the settings, or a service that is connected"
        yield wrong("broker", Code.UNKNOWN, as_root(SETTINGS_FIRST), why=text)


def _in_use(telemetry: Telemetry, where: str) -> Iterator[Finding]:
    """Return what the running service says of its broker."""
    broker = telemetry.broker
    text = f"the service is connected to {where} ({broker.protocol})"
    yield well("broker", text)
    yield from reported("broker", telemetry, [Code.BROKER_REFUSED], RULES)
    yield from reported("broker", telemetry, [Code.BROKER_LIMITED])


def _tried(settings: Settings, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Go to the broker that the settings name."""
    mqtt, where = settings.mqtt, broker_name(settings)
    if are_withheld(mqtt.files):
        text = "systemd gives its credentials to the service only"
        yield wrong("broker", Code.UNKNOWN, "sudo tensormask check --only broker", why=text)
        return
    if (unreachable := _unreachable(where, mqtt.host, mqtt.broker_port)) is not None:
        yield unreachable
        return
    try:
        probe = probe_as_service(settings, telemetry)
    except ConfigError as error:
        cure = permission(str(error)) or "sudo tensormask check --only broker, once it is corrected"
        yield wrong("broker", Code.BROKER_UNUSABLE, cure, why=error)
        return
    except BrokerRefusalError as error:
        cure = "the user and password at the broker; [mqtt] username, password_file"
        yield wrong("broker", Code.BROKER_UNUSABLE, cure, why=error)
        return
    except BrokerError as error:
        yield wrong("broker", Code.BROKER_UNUSABLE, _cure(error, where), why=error)
        return
    yield well("broker", f"connected to {where} ({probe.version})")
    yield from (wrong("broker", Code.BROKER_REFUSED, RULES, refusal=each) for each in probe.faults)
    yield from (wrong("broker", Code.BROKER_LIMITED, limit=each) for each in probe.hints)


def waiting(telemetry: Telemetry) -> Iterator[Finding]:
    """Return what has become of messages."""
    outbox = telemetry.outbox
    yield from reported("broker", telemetry, [Code.MESSAGES_REJECTED])
    if outbox.dropped.total:
        messages = count(outbox.dropped.total, "message")
        yield wrong("broker", Code.MESSAGES_DROPPED, messages=messages)
    yield from reported("disk", telemetry, [Code.DISK_UNWRITABLE])


def certificate(settings: Settings) -> Iterator[Finding]:
    """Return when our own certificates end; a credential is seen in the service's place only."""
    for key, name in named(settings):
        try:
            own = read(key, name)
        except ConfigError:
            continue
        except (OSError, ValueError):
            cure = as_root(f"openssl x509 -noout -enddate -in {shlex.quote(name)}")
            yield wrong("certificate", Code.UNKNOWN, cure, why=f"{name} cannot be read")
            continue
        ending = ending_soon(own, datetime.now(UTC))
        if ending is None:
            yield well("certificate", f"{own.key}: until {own.ends_at:%Y-%m-%d}")
        else:
            yield found_in("certificate", ending)


def _unreachable(where: str, host: str, port: int) -> Finding | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        text = f"the name {host} is not found ({error.strerror})"
        cure = f"getent hosts {host}; cat /etc/resolv.conf"
        return wrong("broker", Code.BROKER_UNUSABLE, cure, why=text)
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        addresses = ", ".join(sorted({str(place[0]) for *_, place in found}))
        text = f"{where} ({addresses}) cannot be reached: {error.strerror or error}"
        cure = f"is the broker running, and port {port} open in every firewall?"
        if not isinstance(error, ConnectionRefusedError):  # that is an answer
            cure = f"ping {host}; {cure}"
        return wrong("broker", Code.BROKER_UNUSABLE, cure, why=text)
    return None


def _cure(error: BrokerError, where: str) -> str:
    text = str(error)
    if "certificate" in text or "TLS" in text:
        return f"openssl s_client -connect {where} </dev/null; [mqtt] tls, ca_file; the clock"
    return "the broker's log says more"
