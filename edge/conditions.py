"""Everything that can be wrong with a box: a code, how grave it is, a sentence and what fixes it.

`status`, `doctor`, `check`, `watch`, the page, the log and `health` speak from this list. The codes
are for programs and never change; the sentences are for people and may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from edge.telemetry import CameraState, CameraView, Certificate, Strain, Telemetry, ThrottlingFlag
from edge.words import count, duration

MUCH_WAITS_S = 60.0
"""A message that waits longer is worth a word."""
_ANSWER = re.compile(r"\(4(\d\d|xx)\)")
"""The status with which a network camera refuses: see `edge.capture.reasons`."""
ENDS_SOON = timedelta(days=30)
"""A certificate that ends within this time is to be renewed."""


class Severity(StrEnum):
    """How much something matters."""

    FAULT = "fault"
    """The box does not do what it is there for."""
    HINT = "hint"
    """It does, but not as well as it could."""
    OK = "ok"
    UNKNOWN = "unknown"
    """It cannot be found out here."""


class Code(StrEnum):
    """Names a condition, for programs."""

    CAMERA_STARTING = "camera-starting"
    CAMERA_LOST = "camera-lost"
    CAMERA_REFUSED = "camera-refused"
    CAMERA_SLOW = "camera-slow"
    CAMERA_TURNED = "camera-turned"
    VIEW_DARK = "view-dark"
    VIEW_BLINDED = "view-blinded"
    VIEW_COVERED = "view-covered"
    AREA_DAMAGED = "area-damaged"
    PAUSED = "paused"
    BROKER_CONNECTING = "broker-connecting"
    BROKER_AWAY = "broker-away"
    BROKER_REFUSED = "broker-refused"
    BROKER_LIMITED = "broker-limited"
    MESSAGES_QUEUED = "messages-queued"
    MESSAGES_REJECTED = "messages-rejected"
    DISK_UNWRITABLE = "disk-unwritable"
    TOO_HOT = "too-hot"
    POWER_WEAK = "power-weak"
    MEMORY_SHORT = "memory-short"
    UNDER_VOLTAGE = "under-voltage"
    CERTIFICATE_EXPIRING = "certificate-expiring"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    PAGE_DOWN = "page-down"
    ON_TRIAL = "on-trial"
    JUST_STARTED = "just-started"
    SETTINGS_CHANGED = "settings-changed"
    SETTINGS_MISSING = "settings-missing"
    SETTINGS_OTHER = "settings-other"
    SETTINGS_UNREADABLE = "settings-unreadable"


@dataclass(frozen=True, slots=True)
class ConditionKind:
    """What is always true of one condition."""

    severity: Severity
    text: str
    """A sentence; names in braces stand for what is known of this one."""
    fix: str = ""
    """What to do; empty: nothing needs to be done, or the sentence says it."""
    short: str = ""
    """For a column of a table; empty: it is not shown there."""


_UNWATCHED = "this time does not count as watched"
_KEPT = "nothing is lost: alerts wait on the device"
_RENEW = "make another: deploy/mosquitto/certificates.sh FOLDER client NAME, or site.yml"
CORRECT_SOURCE = "correct [camera] source, then: sudo systemctl restart tensormask"
DOCTOR = "sudo tensormask doctor says more"

RUNNING = {
    Code.CAMERA_STARTING: ConditionKind(
        Severity.HINT, "waiting for the camera's first picture", short="camera starts"
    ),
    Code.CAMERA_LOST: ConditionKind(
        Severity.FAULT,
        "the camera gives no picture{why}",
        f"check its power and its cable; it is tried again by itself; {DOCTOR}",
        "no camera",
    ),
    Code.CAMERA_REFUSED: ConditionKind(
        Severity.FAULT,
        "the camera gives no picture: {why}",
        f"{CORRECT_SOURCE}; {DOCTOR}",
        "camera refuses",
    ),
    Code.CAMERA_SLOW: ConditionKind(
        Severity.FAULT,
        "the camera gives too few pictures to follow people{rate}",
        "give it more light or a better network, or a smaller [camera] width_px",
        "too few frames",
    ),
    Code.CAMERA_TURNED: ConditionKind(
        Severity.FAULT,
        "the camera is mounted upside down or on its side: nobody is judged",
        "mount it upright, or set [camera] rotation_deg = {rotation_deg} and restart",
        "camera turned",
    ),
    Code.VIEW_DARK: ConditionKind(
        Severity.FAULT,
        "too dark: nobody can be seen",
        f"switch on a light, clean the lens, take the cap off; {_UNWATCHED}",
        "dark",
    ),
    Code.VIEW_BLINDED: ConditionKind(
        Severity.FAULT,
        "the camera is blinded: nobody can be seen",
        f"turn it away from the window or the lamp; {_UNWATCHED}",
        "blinded",
    ),
    Code.VIEW_COVERED: ConditionKind(
        Severity.FAULT,
        "the camera is covered, or out of focus altogether",
        "uncover and clean the lens; turn the lens until the page ([page]) calls it sharp; "
        f"{_UNWATCHED}",
        "covered",
    ),
    Code.PAUSED: ConditionKind(
        Severity.HINT,
        "paused: judging goes on by itself in {left}",
        "the command resume ends the pause at once, and so does: sudo systemctl restart tensormask",
        "paused",
    ),
    Code.BROKER_CONNECTING: ConditionKind(Severity.HINT, "not connected to the broker yet"),
    Code.BROKER_AWAY: ConditionKind(Severity.FAULT, "{trouble}", f"{_KEPT}; {DOCTOR}"),
    Code.BROKER_REFUSED: ConditionKind(Severity.FAULT, "{refusal}", _KEPT, "broker refuses"),
    Code.BROKER_LIMITED: ConditionKind(
        Severity.HINT, "{limit}", "docs/mqtt.md, Brokers that take less"
    ),
    Code.MESSAGES_QUEUED: ConditionKind(
        Severity.HINT,
        "{queued}, the oldest for {oldest}",
        "nothing is lost: a broker that is slow, or was away, catches up by itself",
        "messages queued",
    ),
    Code.MESSAGES_REJECTED: ConditionKind(
        Severity.HINT,
        "the broker has refused {messages}",
        "see which, and why: sudo tensormask outbox list",
        "messages refused",
    ),
    Code.DISK_UNWRITABLE: ConditionKind(
        Severity.FAULT,
        "the disk is full or broken: messages are kept in memory only",
        "make room, or replace the card: df -h; sudo dmesg | tail",
        "disk refuses",
    ),
    Code.TOO_HOT: ConditionKind(
        Severity.HINT,
        "the box is too hot: only {max_fps} pictures a second are judged",
        "give the box air, shade or a heat sink",
        "hot",
    ),
    Code.POWER_WEAK: ConditionKind(
        Severity.HINT,
        "the power supply is too weak: only {max_fps} pictures a second are judged",
        "use the official power supply and a short cable",
        "weak power",
    ),
    Code.MEMORY_SHORT: ConditionKind(
        Severity.HINT,
        "memory is short: only {max_fps} pictures a second are judged",
        "see who takes it: ps -eo rss,comm --sort=-rss | head",
        "low memory",
    ),
    Code.UNDER_VOLTAGE: ConditionKind(
        Severity.HINT,
        "under-voltage since boot: the power supply is too weak",
        "use the official power supply and a short cable",
    ),
    Code.CERTIFICATE_EXPIRING: ConditionKind(
        Severity.HINT,
        "the certificate {key} ends on {ends_at:%Y-%m-%d}",
        _RENEW,
        "certificate ends",
    ),
    Code.CERTIFICATE_EXPIRED: ConditionKind(
        Severity.FAULT,
        "the certificate {key} ended on {ends_at:%Y-%m-%d}",
        _RENEW,
        "certificate ended",
    ),
    Code.CLOCK_UNSYNCHRONISED: ConditionKind(
        Severity.HINT,
        "the clock is not set from the network: the times in messages may be wrong",
        "timedatectl; sudo timedatectl set-ntp true",
    ),
    Code.PAGE_DOWN: ConditionKind(
        Severity.FAULT,
        "the page is not served: {trouble}",
        "journalctl -u tensormask-page -n 30; journalctl -u tensormask -n 30",
        "no page",
    ),
    Code.ON_TRIAL: ConditionKind(
        Severity.HINT,
        "on trial: {what}",
        "nothing needs to be done: where it does worse, the device goes back by itself",
        "on trial",
    ),
}
"""What the service itself can say while it runs: `health` names these."""

FOUND = {
    Code.AREA_DAMAGED: ConditionKind(
        Severity.FAULT,
        "the area that was drawn cannot be read: the whole picture is watched",
        "draw it again on the page, under Set up",
    ),
    Code.JUST_STARTED: ConditionKind(
        Severity.HINT,
        "started {ago} ago: its frame rate, whether the picture is of use and whether the page "
        "answers are known after {known_after}",
        "ask again then",
    ),
    Code.SETTINGS_CHANGED: ConditionKind(
        Severity.HINT,
        "{file} was changed after the service had started",
        "use it: sudo tensormask check && sudo systemctl restart tensormask",
    ),
    Code.SETTINGS_MISSING: ConditionKind(
        Severity.HINT, "{file} is missing: the service cannot be started again without it"
    ),
    Code.SETTINGS_OTHER: ConditionKind(
        Severity.HINT, "the service was started with {used}, not with {file}"
    ),
    Code.SETTINGS_UNREADABLE: ConditionKind(
        Severity.UNKNOWN,
        "{file} cannot be read: {why}",
        "see whether it was changed since the start: sudo tensormask status",
    ),
}
"""What only a look at the box finds."""

KINDS = RUNNING | FOUND


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    code: Code
    severity: Severity
    text: str
    fix: str = ""


def condition(code: Code, **known: object) -> Condition:
    """Return the condition of that code, with what is known of it. Raises KeyError for less."""
    kind = KINDS[code]
    return Condition(code, kind.severity, kind.text.format(**known), kind.fix.format(**known))


_STRAINS = {
    Strain.HEAT: Code.TOO_HOT,
    Strain.POWER: Code.POWER_WEAK,
    Strain.MEMORY: Code.MEMORY_SHORT,
}
VIEWS = {
    CameraView.DARK: Code.VIEW_DARK,
    CameraView.BLINDED: Code.VIEW_BLINDED,
    CameraView.COVERED: Code.VIEW_COVERED,
}
OF_THE_CONNECTION = (Code.BROKER_CONNECTING, Code.BROKER_AWAY)
"""Whoever reads `health` is told once these are over, and is not told of them."""


def conditions(telemetry: Telemetry) -> list[Condition]:
    """Return what is wrong with a running service, faults first; nothing where all is well."""
    found = [*_seeing(telemetry), *_reporting(telemetry), *_around(telemetry)]
    return sorted(found, key=lambda each: each.severity is not Severity.FAULT)


def news(telemetry: Telemetry) -> tuple[object, ...]:
    """Return what `health` tells at once when it changes; figures can wait."""
    broker, camera = telemetry.broker, telemetry.camera
    codes = tuple(health_codes(telemetry))
    rotation_deg = camera.rotation_wanted_deg
    return codes, rotation_deg, broker.refusal, broker.limits, telemetry.pace


def health_codes(telemetry: Telemetry) -> list[Code]:
    """Return the codes for `health`, each once."""
    codes = (each.code for each in conditions(telemetry))
    return [each for each in dict.fromkeys(codes) if each not in OF_THE_CONNECTION]


def _seeing(now: Telemetry) -> Iterator[Condition]:
    camera = now.camera
    if camera.state is CameraState.LOST and refuses(camera.trouble):
        yield condition(Code.CAMERA_REFUSED, why=camera.trouble)
    elif camera.state is CameraState.LOST:
        why = f": {camera.trouble}" if camera.trouble else ""
        yield condition(Code.CAMERA_LOST, why=why)
    elif camera.state is CameraState.STARTING:
        yield condition(Code.CAMERA_STARTING)
    elif camera.view in VIEWS:
        yield condition(VIEWS[camera.view])
    if camera.slow:
        rate = "" if camera.fps is None else f" ({camera.fps:.1f} a second)"
        yield condition(Code.CAMERA_SLOW, rate=rate)
    if camera.rotation_wanted_deg is not None:
        yield condition(Code.CAMERA_TURNED, rotation_deg=camera.rotation_wanted_deg)
    if now.paused_for_s is not None:
        yield condition(Code.PAUSED, left=duration(now.paused_for_s))


def refuses(trouble: str) -> bool:
    """Tell whether a network camera is there and refuses what `[camera] source` asks for."""
    return _ANSWER.search(trouble) is not None


def _reporting(now: Telemetry) -> Iterator[Condition]:
    broker, outbox = now.broker, now.outbox
    if not broker.connected and broker.trouble:
        yield condition(Code.BROKER_AWAY, trouble=broker.trouble)
    elif not broker.connected:
        yield condition(Code.BROKER_CONNECTING)
    elif (outbox.oldest_age_s or 0) > MUCH_WAITS_S:
        oldest = duration(outbox.oldest_age_s or 0)
        yield condition(Code.MESSAGES_QUEUED, queued=queued_in(now), oldest=oldest)
    if broker.refusal:
        yield condition(Code.BROKER_REFUSED, refusal=broker.refusal)
    for limit in broker.limits:
        yield condition(Code.BROKER_LIMITED, limit=limit)
    if outbox.is_refused:
        yield condition(Code.DISK_UNWRITABLE)
    if outbox.refused:
        yield condition(Code.MESSAGES_REJECTED, messages=count(outbox.refused, "message"))


def _around(now: Telemetry) -> Iterator[Condition]:
    if now.pace.max_fps is not None:
        for strain in now.pace.reasons:
            yield condition(_STRAINS[strain], max_fps=f"{now.pace.max_fps:g}")
    if ThrottlingFlag.UNDER_VOLTAGE_OCCURRED in (now.vitals.throttling or ()):
        yield condition(Code.UNDER_VOLTAGE)
    if not now.clock.is_synchronised:
        yield condition(Code.CLOCK_UNSYNCHRONISED)
    if now.at is not None:
        yield from (found for each in now.certificates for found in _certificate(each, now.at))
    if now.page is not None and now.page.trouble:
        yield condition(Code.PAGE_DOWN, trouble=now.page.trouble)
    if now.trial is not None:
        what = f"{now.trial.slot} {now.trial.name or 'that comes with the release'}"
        yield condition(Code.ON_TRIAL, what=what)


def _certificate(each: Certificate, now: datetime) -> Iterator[Condition]:
    if each.ends_at <= now:
        yield condition(Code.CERTIFICATE_EXPIRED, key=each.key, ends_at=each.ends_at)
    elif each.ends_at <= now + ENDS_SOON:
        yield condition(Code.CERTIFICATE_EXPIRING, key=each.key, ends_at=each.ends_at)


def queued_in(now: Telemetry) -> str:
    """Return how many messages wait for the broker: `1 message queued`."""
    return f"{count(now.outbox.rows, 'message')} queued"
