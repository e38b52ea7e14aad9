"""Every entity in Home Assistant: what it shows, and from which message.

The templates are Jinja, as Home Assistant runs them; `value_json` is the message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from edge.conditions import RUNNING, Severity
from edge.history.records import MAX_NOTE
from edge.publish.discovery.cameras import camera_entities
from edge.publish.discovery.subject import Subject
from edge.publish.messages import (
    AVAILABILITY,
    COMMAND,
    COMPLIANCE,
    HEALTH,
    PRESENCE,
    RELEASE,
    SNAPSHOT,
    VIOLATION,
    AvailabilityState,
    CommandName,
)
from edge.records import ViolationKind
from edge.telemetry import CameraState

Entity = dict[str, Any]

PRESENCE_EVERY_S: Final = 60.0
"""`presence` is sent again this often, so that a value that no longer comes is noticed."""
_COMPLIANCE_EXPIRES_S = 90
_PRESENCE_EXPIRES_S = 3 * int(PRESENCE_EVERY_S)

EVENT_TYPES: Final = {ViolationKind.BARE: "no_mask", ViolationKind.WORN_WRONGLY: "worn_wrongly"}
"""What Home Assistant calls each kind of violation."""
RECENT = 10
"""So many event ids does the event entity remember, to leave out what arrives twice."""

PLATFORMS: Final = {
    "violation": "event",
    "no_mask": "binary_sensor",
    "people": "sensor",
    "rate": "sensor",
    "fps": "sensor",
    "temperature": "sensor",
    "queued": "sensor",
    "status": "sensor",
    "problem": "binary_sensor",
    "camera": "binary_sensor",
    "pause": "switch",
    "restart": "button",
    "take_snapshot": "button",
    "snapshot": "image",
    "release": "update",
    "acknowledge": "button",
    "acknowledge_note": "notify",
    "rule": "switch",
}
"""Every entity that this or an earlier release has announced. One that is not announced any more is
removed by its platform alone, so a name never leaves this list."""

_DIAGNOSTIC: Final = {"entity_category": "diagnostic"}
_REQUEST: Final = {"request_id": "home-assistant"}
_SAID: Final = {**_REQUEST, "by": "home-assistant"}


def entities(subject: Subject) -> dict[str, Entity]:
    """Return those that the device has now, by name, without their platform and ids."""
    found = {
        "violation": _violation(subject),
        "no_mask": _no_mask(subject),
        **_counts(subject),
        **_health(subject),
        "status": _status(subject),
        **camera_entities(subject, _PRESENCE_EXPIRES_S, _COMPLIANCE_EXPIRES_S),
    }
    if CommandName.PAUSE in subject.commands:
        found["pause"] = _pause(subject)
    if CommandName.RESTART in subject.commands:
        found["restart"] = _button(
            subject, CommandName.RESTART, name="Restart", device_class="restart"
        )
    if CommandName.ACKNOWLEDGE in subject.commands:
        found |= _acknowledging(subject)
    if CommandName.RULE in subject.commands:
        found["rule"] = _rule(subject)
    if subject.has_pictures:
        found["snapshot"] = {
            "name": "Snapshot",
            "image_topic": subject.topic(SNAPSHOT),
            "content_type": "image/jpeg",
        }
        if CommandName.SNAPSHOT in subject.commands:
            found["take_snapshot"] = _button(
                subject, CommandName.SNAPSHOT, name="Take snapshot", icon="mdi:camera"
            )
    if subject.has_releases:
        found["release"] = _release(subject)
    return found


def _violation(subject: Subject) -> Entity:
    kept = ("event_id", "sequence", "started_at", "confirmed_at", "duration_s", "probability")
    # A message of an older device, which waits at the broker, lacks these.
    later = ("place", "camera") if subject.cameras else ("place",)
    fields = ", ".join(
        [
            *(f"'{name}': value_json.{name}" for name in kept),
            *(f"'{name}': value_json.{name} | default('', true)" for name in later),
        ]
    )
    types = {kind.value: name for kind, name in EVENT_TYPES.items()}
    return {
        "name": "Violation",
        "icon": "mdi:face-mask-outline",
        "event_types": list(EVENT_TYPES.values()),
        "state_topic": subject.topic(VIOLATION),
        # A message may come twice; and only the first of an event's two is one here.
        "value_template": (
            "{% set recent = this.attributes.recent | default([], true) %}"
            "{% if value_json.state == 'confirmed' and value_json.event_id not in recent %}"
            f"{{{{ {{'event_type': {types}.get(value_json.kind, 'no_mask'), {fields}, "
            f"'recent': ([value_json.event_id] + recent)[:{RECENT}]}} | to_json }}}}"
            "{% endif %}"
        ),
    }


def _no_mask(subject: Subject) -> Entity:
    presence = subject.topic(PRESENCE)
    return {
        "name": "Without mask",
        "device_class": "occupancy",
        "icon": "mdi:face-mask-outline",
        "state_topic": presence,
        "value_template": _on("value_json.bare + value_json.worn_wrongly > 0"),
        "json_attributes_topic": presence,
        "json_attributes_template": (
            "{{ {'no_mask': value_json.bare, 'worn_wrongly': value_json.worn_wrongly} | to_json }}"
        ),
        "expire_after": _PRESENCE_EXPIRES_S,
    }


def _counts(subject: Subject) -> dict[str, Entity]:
    compliance = subject.topic(COMPLIANCE)
    source = {"state_topic": compliance, "expire_after": _COMPLIANCE_EXPIRES_S}
    since = "value_json.since_start"
    return {
        "people": {
            **source,
            "name": "People judged",
            "icon": "mdi:account-group",
            # It starts again with the program, which Home Assistant's statistics allow for.
            "state_class": "total_increasing",
            "value_template": f"{{{{ {since}.masked + {since}.bare + {since}.worn_wrongly }}}}",
        },
        "rate": {
            **source,
            "name": "Wearing rate",
            "icon": "mdi:face-mask",
            "state_class": "measurement",
            "unit_of_measurement": "%",
            "suggested_display_precision": 0,
            "value_template": (
                "{% set rate = value_json.last_hour.rate %}"
                "{{ none if rate is none else (100 * rate) | round(1) }}"
            ),
            # Not the counts: they change more often, and each change is a row there.
            "json_attributes_topic": compliance,
            "json_attributes_template": (
                "{% set zones = namespace(rates={}) %}"
                "{% for each in value_json.places | default([], true) if each.place %}"
                # In a zone that only counts, too: its people are in no rate.
                "{% set masked, bare = each.last_hour.masked, each.last_hour.bare %}"
                "{% set percent = (100 * masked / (masked + bare)) | round(1) "
                "if masked + bare else none %}"
                "{% set zones.rates = dict(zones.rates, **{each.place: percent}) %}"
                "{% endfor %}"
                "{{ {'by_place': zones.rates} | to_json }}"
            ),
        },
    }


def _health(subject: Subject) -> dict[str, Entity]:
    source = {
        **_DIAGNOSTIC,
        "state_topic": subject.topic(HEALTH),
        "expire_after": int(3 * subject.health_every_s) + 60,
    }
    number = {**source, "state_class": "measurement"}
    faults = [code.value for code, kind in RUNNING.items() if kind.severity is Severity.FAULT]
    return {
        "fps": {
            **number,
            "name": "Frame rate",
            "icon": "mdi:filmstrip",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "value_template": "{{ value_json.fps }}",
        },
        "temperature": {
            **number,
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "suggested_display_precision": 0,
            "value_template": "{{ value_json.temperature_c }}",
        },
        "queued": {
            **number,
            "name": "Queued messages",
            "icon": "mdi:tray-full",
            "value_template": "{{ value_json.outbox.rows }}",
        },
        "problem": {
            **source,
            "name": "Problem",
            "device_class": "problem",
            "value_template": _on(
                f"value_json.conditions | default([], true) | select('in', {faults}) | list"
            ),
            "json_attributes_topic": subject.topic(HEALTH),
            "json_attributes_template": (
                "{{ {'conditions': value_json.conditions | default([], true)} | to_json }}"
            ),
        },
        "camera": {
            **source,
            "name": "Camera",
            "device_class": "connectivity",
            "value_template": _on(f"value_json.camera.state == '{CameraState.RUNNING.value}'"),
        },
    }


def _status(subject: Subject) -> Entity:
    return {
        **_DIAGNOSTIC,
        "name": "Status",
        "device_class": "enum",
        "options": [state.value for state in AvailabilityState],
        "icon": "mdi:lan-connect",
        "state_topic": subject.topic(AVAILABILITY),
        "value_template": "{{ value_json.state }}",
        "availability": [],  # it says itself that the device is not there
    }


def _pause(subject: Subject) -> Entity:
    return {
        "name": "Pause",
        "icon": "mdi:pause-circle-outline",
        "state_topic": subject.topic(HEALTH),
        "value_template": _on("value_json.paused_for_s is not none"),
        "state_on": "ON",
        "state_off": "OFF",
        "command_topic": subject.topic(f"{COMMAND}/{CommandName.PAUSE.value}"),
        "payload_on": json.dumps(_REQUEST),
        # A switch has one topic for both: a pause of no length ends the one that there is.
        "payload_off": json.dumps({**_REQUEST, "duration_s": 0}),
    }


def _acknowledging(subject: Subject) -> dict[str, Entity]:
    """Return what acknowledges the newest open alert: as it is, or with a note.

    Reason and remedy are for an automation, which knows the event: docs/home-assistant.md.
    """
    topic = subject.topic(f"{COMMAND}/{CommandName.ACKNOWLEDGE.value}")
    icon = "mdi:check-circle-outline"
    note = f"(value | replace('\\n', ' ') | trim)[:{MAX_NOTE}]"
    said = ", ".join(f"'{key}': '{value}'" for key, value in _SAID.items())
    return {
        "acknowledge": {
            "name": "Acknowledge newest alert",
            "icon": icon,
            "command_topic": topic,
            "payload_press": json.dumps(_SAID),
        },
        "acknowledge_note": {
            "name": "Acknowledge newest alert with a note",
            "icon": icon,
            "command_topic": topic,
            "command_template": f"{{{{ {{{said}, 'note': {note}}} | to_json }}}}",
        },
    }


def _rule(subject: Subject) -> Entity:
    rule = "value_json.mask_rule"
    return {
        "name": "Mask rule",
        "icon": "mdi:face-mask",
        "state_topic": subject.topic(HEALTH),
        "value_template": _on(f"{rule} is not defined or {rule} is none or {rule}.on"),
        "state_on": "ON",
        "state_off": "OFF",
        "command_topic": subject.topic(f"{COMMAND}/{CommandName.RULE.value}"),
        "payload_on": json.dumps({**_SAID, "state": "on"}),
        "payload_off": json.dumps({**_SAID, "state": "off"}),
    }


def _button(subject: Subject, command: CommandName, **shown: str) -> Entity:
    return {
        **shown,
        "entity_category": "config" if command is CommandName.RESTART else None,
        "command_topic": subject.topic(f"{COMMAND}/{command.value}"),
        "payload_press": json.dumps(_REQUEST),
    }


def _release(subject: Subject) -> Entity:
    return {
        **_DIAGNOSTIC,
        "name": "Release",
        "title": "TensorMask",
        "device_class": "firmware",
        "state_topic": subject.topic(RELEASE),
        # The newest that the device knows: on trial, or rolled back, with the reason.
        "value_template": (
            "{% set trial = value_json.trial %}"
            "{% set on_trial = trial is not none and trial.slot == 'release' %}"
            "{% set last = value_json.settled | selectattr('slot', 'eq', 'release')"
            " | list | last | default(none) %}"
            "{% set failed = last is not none"
            " and last.outcome in ['refused', 'undone', 'interrupted'] %}"
            "{% set now = trial.former if on_trial else value_json.current.release %}"
            "{{ {'installed_version': now,"
            " 'latest_version': trial.name if on_trial else last.name if failed else now,"
            " 'in_progress': on_trial,"
            " 'release_summary': ('on trial' if on_trial else last.reason if failed else '')[:255]"
            "} | to_json }}"
        ),
    }


def _on(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def removed(present: Iterable[str]) -> dict[str, Entity]:
    """Return what takes away those that may have been announced before, and are not there now."""
    return {name: {"platform": PLATFORMS[name]} for name in PLATFORMS if name not in set(present)}
