"""How the device does, in sentences for people: what is wrong, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge.telemetry import CameraState, CameraView, Strain, Telemetry, ThrottlingFlag


class Weight(StrEnum):
    """How much it matters."""

    FAULT = "fault"
    """It does not do what it is there for."""
    HINT = "hint"
    """It does, but not as well as it could."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that keeps the device from working well."""

    key: str
    """The same as long as it is the same condition, whatever its figures are."""
    text: str
    weight: Weight


VIEWS = {
    CameraView.DARK: "too dark: nobody can be seen",
    CameraView.BLINDED: "the camera is blinded: nobody can be seen",
    CameraView.COVERED: "the camera is covered, or out of focus altogether",
}
_STRAINS = {
    Strain.HEAT: "it is too hot",
    Strain.POWER: "the power supply is too weak",
    Strain.MEMORY: "memory is short",
}
MUCH_WAITS_S = 60.0
"""A document that waits longer is worth a word."""


def conditions(telemetry: Telemetry) -> list[Condition]:
    """Return what is wrong, the gravest first; nothing where all is well."""
    found = list(_found(telemetry))
    return sorted(found, key=lambda each: each.weight is not Weight.FAULT)


def _found(now: Telemetry) -> Iterator[Condition]:
    camera = now.camera
    if camera.state is CameraState.LOST:
        why = f" ({camera.trouble})" if camera.trouble else ""
        text = f"the camera gives no picture{why}; tried again and again"
        yield Condition("camera", text, Weight.FAULT)
    elif camera.state is CameraState.STARTING:
        yield Condition("camera", "waiting for the camera's first picture", Weight.HINT)
    elif camera.view in VIEWS:
        yield Condition(f"view {camera.view}", VIEWS[camera.view], Weight.FAULT)
    if camera.slow:
        rate = "" if camera.fps is None else f" ({camera.fps:.1f} a second)"
        text = f"the camera gives too few pictures to follow people{rate}"
        yield Condition("slow", text, Weight.FAULT)
    if camera.rotation_wanted_deg is not None:
        yield Condition("turned", turned(camera.rotation_wanted_deg), Weight.FAULT)
    if now.paused_for_s is not None:
        text = f"paused; it goes on by itself in {duration(now.paused_for_s)}"
        yield Condition("paused", text, Weight.HINT)
    if not now.broker.connected:
        why = now.broker.trouble or "not connected to the broker yet"
        text = f"{why}; {waiting(now)} here"
        yield Condition("broker", text, Weight.FAULT if now.broker.trouble else Weight.HINT)
    elif (now.outbox.oldest_age_s or 0) > MUCH_WAITS_S:
        oldest = duration(now.outbox.oldest_age_s or 0)
        text = f"{waiting(now)}, the oldest for {oldest}"
        yield Condition("backlog", text, Weight.HINT)
    if now.broker.refusal:
        yield Condition("refusal", now.broker.refusal, Weight.FAULT)
    for limit in now.broker.limits:
        yield Condition(limit, limit, Weight.HINT)
    if now.outbox.is_refused:
        yield Condition(
            "disk", "the disk takes nothing: what waits is in memory only", Weight.FAULT
        )
    if now.outbox.refused:
        refused = _count(now.outbox.refused, "document")
        text = f"the broker has refused {refused}; see: sudo tensormask outbox list"
        yield Condition("refused", text, Weight.HINT)
    if now.pace.max_fps is not None:
        why = " and ".join(_STRAINS[each] for each in now.pace.reasons)
        text = f"only {now.pace.max_fps:g} pictures a second are judged: {why}"
        yield Condition("pace", text, Weight.HINT)
    if ThrottlingFlag.UNDER_VOLTAGE_OCCURRED in (now.vitals.throttling or ()):
        text = "the power supply was too weak since the last start; use the official one"
        yield Condition("power", text, Weight.HINT)
    if now.page is not None and now.page.trouble:
        yield Condition("page", f"no page: {now.page.trouble}", Weight.FAULT)
    if now.trial is not None:
        text = f"on trial: {now.trial.slot} {now.trial.name or 'that comes with the release'}"
        yield Condition("trial", text, Weight.HINT)


def turned(rotation_deg: int) -> str:
    """Return what is wrong where faces would be upright with that `[camera] rotation_deg`."""
    return (
        "the camera is mounted upside down or on its side: nobody is judged; set [camera] "
        f"rotation_deg = {rotation_deg} in the settings and restart"
    )


def waiting(now: Telemetry) -> str:
    """Return how many documents wait: `1 document waits`."""
    rows = now.outbox.rows
    return f"{_count(rows, 'document')} {'waits' if rows == 1 else 'wait'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return it in the unit that people would use: `40 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


class Since:
    """Remembers from when on each condition has been there."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def note(self, found: list[Condition], now: datetime) -> list[tuple[Condition, datetime]]:
        """Return each with the time when it was noted first; what is over is forgotten."""
        self._since = {each.key: self._since.get(each.key, now) for each in found}
        return [(each, self._since[each.key]) for each in found]
