"""The message that announces a device with all its entities."""

from __future__ import annotations

from typing import Any

import msgspec

from edge.publish.discovery.cameras import removed_cameras
from edge.publish.discovery.entities import PLATFORMS, entities, removed
from edge.publish.discovery.subject import VENDOR, Subject
from edge.publish.messages import AVAILABILITY, AvailabilityState

_ONLINE = AvailabilityState.ONLINE.value


def announcement(subject: Subject) -> bytes:
    """Return the payload for Home Assistant's device discovery: JSON, the same for the same device.

    Home Assistant refuses all of it if one part is wrong, and says so in its log only.
    """
    present = entities(subject)
    components = {
        name: {
            **({"platform": PLATFORMS[name]} if name in PLATFORMS else {}),
            "unique_id": f"{subject.key}/{name}",
            # Else the area, which comes first in it, and the language decide on the entity id.
            "default_entity_id": f"{PLATFORMS.get(name)}.{subject.slug}_{name}",
            "qos": 1,  # by itself: 2026.2 does not take it from the whole
            **{key: value for key, value in entity.items() if value is not None},
        }
        for name, entity in present.items()
    }
    return msgspec.json.encode(
        {
            "device": _device(subject),
            "origin": {"name": VENDOR, "sw_version": subject.version},
            # A device that was stopped on purpose is as little there as one that has vanished.
            "availability": [
                {
                    "topic": subject.topic(AVAILABILITY),
                    "value_template": (
                        f"{{{{ '{_ONLINE}' if value_json.state == '{_ONLINE}' else 'offline' }}}}"
                    ),
                    "payload_available": _ONLINE,
                    "payload_not_available": "offline",
                }
            ],
            "components": {**components, **removed(present), **removed_cameras(subject)},
        }
    )


def _device(subject: Subject) -> dict[str, Any]:
    known = {
        "suggested_area": subject.area,
        "configuration_url": subject.page_url,
    }
    return {
        "identifiers": [subject.key],
        "name": subject.name,
        "manufacturer": VENDOR,
        "model": "Mask detector",
        "serial_number": subject.device_id,
        "sw_version": subject.version,
        **{key: value for key, value in known.items() if value},
    }
