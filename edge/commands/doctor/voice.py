"""The way to the broker, step by step: name, connection, TLS and its dates, credentials, rules."""

from __future__ import annotations

import shlex
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.commands.checks import probe_as_service
from edge.commands.doctor.finding import SETTINGS_FIRST, Finding, Level, as_root, permission
from edge.commands.doctor.host import Host
from edge.config import CREDENTIAL, Settings
from edge.errors import BrokerError, ConfigError
from edge.host.in_use import broker_name, is_same_broker
from edge.publish.answers import BrokerRefusalError
from edge.secret import are_withheld
from edge.telemetry import Telemetry

TIMEOUT_S = 5.0
RULES = "the broker's access rules: this user may write below its own topic; its quotas"
LIMITS = "docs/mqtt.md, Brokers that take less"
ENDS_SOON = timedelta(days=30)


def broker(host: Host, settings: Settings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return what keeps documents from the broker.

    While the service is connected it is not disturbed: many brokers keep one connection of a name.
    """
    used = None if telemetry is None else telemetry.in_use
    where = None if settings is None else broker_name(settings)
    if settings is not None:
        yield from certificate(host, settings.mqtt.certificate_file)
    if telemetry is not None:
        yield from waiting(telemetry)
        is_same = used is None or settings is None or is_same_broker(used, settings)
        if telemetry.broker.connected and is_same:
            yield from _told(telemetry, where or (used.broker if used else "its broker"))
            return
    if settings is not None:
        yield from _tried(settings, telemetry)
    elif telemetry is not None and telemetry.broker.trouble:
        yield Finding("broker", Level.FAULT, telemetry.broker.trouble, as_root(SETTINGS_FIRST))
    else:
        text = "not looked at: it takes the settings, or a service that is connected"
        yield Finding("broker", Level.UNKNOWN, text, as_root(SETTINGS_FIRST))


def _told(telemetry: Telemetry, where: str) -> Iterator[Finding]:
    """Return what the running service says of its broker."""
    broker = telemetry.broker
    text = f"the service is connected to {where} ({broker.protocol})"
    yield Finding("broker", Level.OK, text)
    if broker.refusal:
        yield Finding("broker", Level.FAULT, broker.refusal, RULES)
    yield from (Finding("broker", Level.HINT, each, LIMITS) for each in broker.limits)


def _tried(settings: Settings, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Go to the broker that the settings name."""
    mqtt, where = settings.mqtt, broker_name(settings)
    if are_withheld(mqtt.files):
        text = "systemd gives its credentials to the service only"
        yield Finding("broker", Level.UNKNOWN, text, "sudo tensormask check --only broker")
        return
    if (wrong := _unreachable(where, mqtt.host, mqtt.broker_port)) is not None:
        yield wrong
        return
    try:
        probe = probe_as_service(settings, telemetry)
    except ConfigError as error:
        cure = permission(str(error)) or "sudo tensormask check --only broker, once it is corrected"
        yield Finding("broker", Level.FAULT, str(error), cure)
        return
    except BrokerRefusalError as error:
        cure = "the user and password at the broker; [mqtt] username, password_file"
        yield Finding("broker", Level.FAULT, str(error), cure)
        return
    except BrokerError as error:
        yield Finding("broker", Level.FAULT, str(error), _cure(error, where))
        return
    yield Finding("broker", Level.OK, f"{where} lets us in ({probe.version})")
    yield from (Finding("broker", Level.FAULT, each, RULES) for each in probe.faults)
    yield from (Finding("broker", Level.HINT, each, LIMITS) for each in probe.hints)


def waiting(telemetry: Telemetry) -> Iterator[Finding]:
    """Return what has become of documents."""
    outbox = telemetry.outbox
    if outbox.refused:
        yield Finding(
            "broker",
            Level.HINT,
            f"it has refused {outbox.refused} documents",
            "sudo tensormask outbox list; the broker's access rules for this device",
        )
    if outbox.dropped.total:
        text = f"{outbox.dropped.total} documents were given up: too many, or too old"
        yield Finding("broker", Level.HINT, text, "mend the connection; [outbox] max_rows")
    if outbox.is_refused:
        text = "the disk takes nothing: what waits is in memory only"
        yield Finding("disk", Level.FAULT, text, "df -h; dmesg | tail")


def certificate(host: Host, name: str) -> Iterator[Finding]:
    """Return when our own certificate ends."""
    if not name or name.startswith(CREDENTIAL):
        return
    ends = ends_at(host, Path(name))
    if ends is None:
        cure = as_root(f"openssl x509 -noout -enddate -in {shlex.quote(name)}")
        yield Finding("certificate", Level.UNKNOWN, f"{name} cannot be read", cure)
        return
    left = ends - datetime.now(UTC)
    renew = "make another: deploy/mosquitto/certificates.sh FOLDER client NAME, or site.yml"
    if left < timedelta(0):
        yield Finding("certificate", Level.FAULT, f"it ended on {ends:%Y-%m-%d}", renew)
    elif left < ENDS_SOON:
        yield Finding("certificate", Level.HINT, f"it ends on {ends:%Y-%m-%d}", renew)
    else:
        yield Finding("certificate", Level.OK, f"until {ends:%Y-%m-%d}")


def ends_at(host: Host, path: Path) -> datetime | None:
    """Return when a certificate ends; None: it is none, or cannot be read."""
    said = host.say("openssl", "x509", "-noout", "-enddate", "-in", str(path))
    _, is_told, ends = said.partition("notAfter=")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if is_told else None


def _unreachable(where: str, host: str, port: int) -> Finding | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        text = f"the name {host} is not found ({error.strerror})"
        return Finding("broker", Level.FAULT, text, f"getent hosts {host}; cat /etc/resolv.conf")
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        addresses = ", ".join(sorted({str(place[0]) for *_, place in found}))
        text = f"{where} ({addresses}) cannot be reached: {error.strerror or error}"
        cure = f"is the broker running, and port {port} open in every firewall?"
        if not isinstance(error, ConnectionRefusedError):  # that is an answer
            cure = f"ping {host}; {cure}"
        return Finding("broker", Level.FAULT, text, cure)
    return None


def _cure(error: BrokerError, where: str) -> str:
    text = str(error)
    if "certificate" in text or "TLS" in text:
        return f"openssl s_client -connect {where} </dev/null; [mqtt] tls, ca_file; the clock"
    return "the broker's log says more"
