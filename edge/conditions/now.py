"""What is wrong with a running service, from its telemetry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from edge.acuity import SightState
from edge.conditions.codes import Code, Condition, Severity
from edge.conditions.kinds import condition
from edge.conditions.running import MAKE_ROOM
from edge.keeping import HistoryFault
from edge.telemetry import (
    CameraState,
    CameraStatus,
    CameraView,
    Certificate,
    NotifierState,
    Strain,
    Telemetry,
    ThrottlingFlag,
)
from edge.words import count, duration

MUCH_WAITS_S = 60.0
"""A message that waits longer is worth a word."""
ENDS_SOON = timedelta(days=30)
"""A certificate that ends within this time is to be renewed."""

_OF_A_CLIENT = "deploy/mosquitto/certificates.sh FOLDER client NAME, or site.yml"
_OF_A_PAGE = "docs/operating.md, The page"
_IN_MEMORY = "the last days are kept in memory meanwhile"
HISTORY_FIXES = {
    HistoryFault.DISK: f"{_IN_MEMORY}; {MAKE_ROOM}",
    HistoryFault.READ_ONLY: f"{_IN_MEMORY}; sudo chown tensormask: and chmod 600 the file and its "
    "-wal; if the whole disk is read-only: sudo dmesg | tail",
    HistoryFault.NEWER: "install that release again, or put the file elsewhere; it is left as it "
    "is",
    HistoryFault.LOST: "nothing needs to be done: it goes on within seconds, with the file that is "
    "there then or a new one; stop the service before you move or restore the file",
}
STRAINS = {
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
"""`health` leaves these out: who receives `health` has a broker, and would read of the past."""


def conditions(telemetry: Telemetry) -> list[Condition]:
    """Return what is wrong with a running service, faults first; nothing where all is well."""
    found = [*_seeing(telemetry), *_reporting(telemetry), *_around(telemetry)]
    return sorted(found, key=lambda each: each.severity is not Severity.FAULT)


def news(telemetry: Telemetry, found: Iterable[Condition]) -> tuple[object, ...]:
    """Return what `health` tells at once when it changes; figures can wait.

    `found` are the conditions of that telemetry.
    """
    broker = telemetry.broker
    found = tuple(found)
    codes = tuple(health_codes(found))
    of_cameras = tuple(
        (
            name,
            status.rotation_wanted_deg,
            tuple(each.code for each in found if each.camera == name),
        )
        for name, status in telemetry.each_camera
    )
    return codes, of_cameras, broker.refusal, broker.limits, telemetry.pace


def health_codes(found: Iterable[Condition]) -> list[Code]:
    """Return the codes for `health`, each once."""
    codes = (each.code for each in found)
    return [each for each in dict.fromkeys(codes) if each not in OF_THE_CONNECTION]


def _seeing(now: Telemetry) -> Iterator[Condition]:
    if not now.cameras:
        yield from _of_camera(now.camera)
        yield from _of_sight(now.sight)
    for each in now.cameras:
        found = [*_of_camera(each.status), *_of_sight(each.sight)]
        if each.is_stuck:
            found.append(condition(Code.JUDGING_STUCK))
        if each.paused_for_s is not None and now.paused_for_s is None:
            found.append(condition(Code.PAUSED, left=duration(each.paused_for_s)))
        yield from (_at(each.name, one) for one in found)
    if now.paused_for_s is not None:
        yield condition(Code.PAUSED, left=duration(now.paused_for_s))
    if not now.rule.is_on:
        since = "" if now.rule.since is None else f" since {now.rule.since:%Y-%m-%d %H:%M} UTC"
        yield condition(Code.RULE_OFF, since=since, by=f", by {now.rule.by}" * bool(now.rule.by))


def _at(camera: str, found: Condition) -> Condition:
    """Return what was found at one of several cameras as it is said everywhere."""
    fix = found.fix.replace("[camera]", "[[camera]]")
    for action in ("sight now", "sight learn"):
        fix = fix.replace(action, f"{action} --camera {camera}")
    return replace(
        found,
        text=f"camera {camera}: {found.text}",
        fix=fix.replace("[detector] excluded", "[[camera]] excluded"),
        subject=f"{camera} {found.subject}".strip(),
        camera=camera,
    )


def _of_sight(sight: SightState | None) -> Iterator[Condition]:
    if sight is not None and sight.trouble:
        yield condition(Code.SIGHT_DEGRADED, trouble=sight.trouble, fix=sight.fix)


def _of_camera(camera: CameraStatus) -> Iterator[Condition]:
    if camera.state is CameraState.LOST and camera.refuses:
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
    for polygon in camera.lifeless_places:
        place = str([list(point) for point in polygon])
        yield condition(Code.FACE_LIFELESS, place, place=place)


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
        yield condition(Code.BROKER_LIMITED, limit, limit=limit)
    if outbox.is_refused:
        yield condition(Code.DISK_UNWRITABLE)
    if outbox.refused:
        yield condition(Code.MESSAGES_REJECTED, messages=count(outbox.refused, "message"))


def _around(now: Telemetry) -> Iterator[Condition]:
    if now.pace.max_fps is not None:
        for strain in now.pace.reasons:
            yield condition(STRAINS[strain], max_fps=f"{now.pace.max_fps:g}")
    if ThrottlingFlag.UNDER_VOLTAGE_OCCURRED in (now.vitals.throttling or ()):
        yield condition(Code.UNDER_VOLTAGE)
    if not now.clock.is_synchronised:
        yield condition(Code.CLOCK_UNSYNCHRONISED)
    if now.at is not None:
        endings = (ending_soon(each, now.at) for each in now.certificates)
        yield from (each for each in endings if each is not None)
    if now.page is not None and now.page.trouble:
        yield condition(Code.PAGE_DOWN, trouble=now.page.trouble, port=now.page.port)
    for target in now.notifiers:
        if target.trouble:
            yield _failing(target)
    if now.signal is not None and now.signal.trouble:
        yield condition(Code.SIGNAL_FAILING, trouble=now.signal.trouble)
    if now.history is not None and now.history.trouble:
        fix = HISTORY_FIXES[now.history.fault]
        yield condition(Code.HISTORY_FAILING, trouble=now.history.trouble, fix=fix)
    if now.trial is not None:
        what = f"{now.trial.slot} {now.trial.name or 'that comes with the release'}"
        yield condition(Code.ON_TRIAL, what=what)


def _failing(target: NotifierState) -> Condition:
    waiting = count(target.waiting, "event")
    kept = f"{waiting} kept, and sent when it works again; " if target.waiting else ""
    name, trouble = target.name, target.trouble
    return condition(Code.NOTIFY_FAILING, name, name=name, trouble=trouble, kept=kept)


def ending_soon(each: Certificate, now: datetime) -> Condition | None:
    """Return what is wrong with a certificate; None: it lasts."""
    if each.ends_at > now + ENDS_SOON:
        return None
    code = Code.CERTIFICATE_EXPIRED if each.ends_at <= now else Code.CERTIFICATE_EXPIRING
    how = _OF_A_PAGE if each.key.startswith("[page]") else _OF_A_CLIENT
    return condition(code, each.key, key=each.key, ends_at=each.ends_at, how=how)


def queued_in(now: Telemetry) -> str:
    """Return how many messages wait for the broker: `1 message queued`."""
    return f"{count(now.outbox.rows, 'message')} queued"
