"""The entities of each of several cameras, beside those of the device."""

from __future__ import annotations

import re
from typing import Any, Final

from edge.publish.discovery.subject import Subject
from edge.publish.messages import COMPLIANCE, HEALTH, PRESENCE
from edge.telemetry import CameraState

Entity = dict[str, Any]

PLATFORMS_OF_A_CAMERA: Final = {
    "no_mask": "binary_sensor",
    "rate": "sensor",
    "connected": "binary_sensor",
}
"""As `PLATFORMS` has those of the device."""


def camera_entities(
    subject: Subject, presence_expires_s: int, compliance_expires_s: int
) -> dict[str, Entity]:
    """Return those of all cameras, by name; none where there is one camera."""
    found: dict[str, Entity] = {}
    for camera in subject.cameras:
        ours = f"value_json.cameras['{camera}']"
        entities: dict[str, Entity] = {
            "no_mask": {
                "name": f"{camera}: without mask",
                "device_class": "occupancy",
                "icon": "mdi:face-mask-outline",
                "state_topic": subject.topic(PRESENCE),
                "value_template": _on(f"{ours}.bare + {ours}.worn_wrongly > 0"),
                "expire_after": presence_expires_s,
            },
            "rate": {
                "name": f"{camera}: wearing rate",
                "icon": "mdi:face-mask",
                "state_class": "measurement",
                "unit_of_measurement": "%",
                "suggested_display_precision": 0,
                "state_topic": subject.topic(COMPLIANCE),
                "value_template": (
                    f"{{% set rate = {ours}.last_hour.rate %}}"
                    "{{ none if rate is none else (100 * rate) | round(1) }}"
                ),
                "expire_after": compliance_expires_s,
            },
            "connected": {
                "name": f"{camera}: camera",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                "state_topic": subject.topic(HEALTH),
                "value_template": _on(f"{ours}.state == '{CameraState.RUNNING.value}'"),
                "expire_after": int(3 * subject.health_every_s) + 60,
            },
        }
        for kind, entity in entities.items():
            platform = PLATFORMS_OF_A_CAMERA[kind]
            part = re.sub(r"[^a-z0-9]+", "_", camera.lower()).strip("_")
            found[_named(camera, kind)] = {
                "platform": platform,
                "default_entity_id": f"{platform}.{subject.slug}_{part}_{kind}",
                **entity,
            }
    return found


def removed_cameras(subject: Subject) -> dict[str, Entity]:
    """Return what takes away those of cameras that are not there any more."""
    return {
        _named(camera, kind): {"platform": platform}
        for camera in subject.former_cameras
        for kind, platform in PLATFORMS_OF_A_CAMERA.items()
    }


def _named(camera: str, kind: str) -> str:
    return f"camera_{camera}_{kind}"


def _on(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
