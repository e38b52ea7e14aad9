"""What Home Assistant's MQTT integration accepts, as JSON Schema: 2026.2 and 2026.11 together.

From its documentation and its schemas (`homeassistant/components/mqtt/`). It is stricter in one
thing: Home Assistant ignores a key of an entity that it does not know, and so a mistyped one.
Whether the real ones take a payload is for `tests/integrations/home_assistant.py`.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "pattern": r"\S"}
TEMPLATE: Schema = {"type": "string", "pattern": r"\{[{%].*[%}]\}"}
TOPIC: Schema = {"type": "string", "pattern": r"^[^+#\u0000]+$", "maxLength": 65535}
SECONDS: Schema = {"type": "integer", "minimum": 0}
URL: Schema = {"type": "string", "pattern": r"^(https?|homeassistant)://[^/]+"}
_CATEGORY: Schema = {"enum": ["diagnostic"]}
"""For what only shows something; a button or a switch may be `config` too."""

_AVAILABILITY: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "topic": TOPIC,
            "value_template": TEMPLATE,
            "payload_available": TEXT,
            "payload_not_available": TEXT,
        },
        "required": ["topic"],
        "additionalProperties": False,
    },
}
_EVERY: Schema = {
    "platform": TEXT,
    "unique_id": TEXT,
    "default_entity_id": TEXT,
    "name": TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"},
    "qos": {"enum": [0, 1, 2]},
    "availability": _AVAILABILITY,
    "json_attributes_topic": TOPIC,
    "json_attributes_template": TEMPLATE,
}
_SHOWS: Schema = {"state_topic": TOPIC, "value_template": TEMPLATE}
_OBEYS: Schema = {"command_topic": TOPIC, "command_template": TEMPLATE, "retain": {"const": False}}
"""A retained command would be obeyed again with each connection."""


def _entity(platform: str, required: list[str], **own: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {**_EVERY, "platform": {"const": platform}, **own}
        | {
            "default_entity_id": {
                "type": "string",
                # No two underscores in a row, and none at either end.
                "pattern": f"^{platform}\\.[a-z0-9]+(_[a-z0-9]+)*$",
                "maxLength": 255,
            }
        },
        "required": ["platform", "unique_id", "default_entity_id", "name", *required],
        "additionalProperties": False,
    }


ENTITIES: dict[str, Schema] = {
    "event": _entity(
        "event",
        ["state_topic", "event_types"],
        **_SHOWS,
        event_types={"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
    ),
    "binary_sensor": _entity(
        "binary_sensor",
        ["state_topic"],
        **_SHOWS,
        device_class={"enum": ["connectivity", "occupancy", "problem"]},
        entity_category=_CATEGORY,
        expire_after=SECONDS,
    ),
    "sensor": {
        **_entity(
            "sensor",
            ["state_topic"],
            **_SHOWS,
            device_class={"enum": ["enum", "temperature"]},
            state_class={"enum": ["measurement", "total", "total_increasing"]},
            unit_of_measurement=TEXT,
            suggested_display_precision={"type": "integer", "minimum": 0},
            options={"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
            entity_category=_CATEGORY,
            expire_after=SECONDS,
        ),
        "allOf": [
            {  # options are for an enum only, which has neither state class nor unit
                "if": {"required": ["options"]},
                "then": {
                    "properties": {
                        "device_class": {"const": "enum"},
                        "state_class": False,
                        "unit_of_measurement": False,
                    },
                    "required": ["device_class"],
                },
            },
            {
                "if": {
                    "properties": {"device_class": {"const": "temperature"}},
                    "required": ["device_class"],
                },
                "then": {
                    "properties": {"unit_of_measurement": {"enum": ["°C", "°F", "K"]}},
                    "required": ["unit_of_measurement"],
                },
            },
        ],
    },
    "switch": _entity(
        "switch",
        ["command_topic"],
        **_SHOWS,
        **_OBEYS,
        payload_on=TEXT,
        payload_off=TEXT,
        state_on=TEXT,
        state_off=TEXT,
        device_class={"enum": ["outlet", "switch"]},
        entity_category={"enum": ["config", "diagnostic"]},
    ),
    "button": _entity(
        "button",
        ["command_topic"],
        **_OBEYS,
        payload_press=TEXT,
        device_class={"enum": ["identify", "restart", "update"]},
        entity_category={"enum": ["config", "diagnostic"]},
    ),
    "notify": _entity(
        "notify",
        ["command_topic"],
        **_OBEYS,
        entity_category={"enum": ["config", "diagnostic"]},
    ),
    "image": _entity(
        "image",
        ["image_topic"],
        image_topic=TOPIC,
        image_encoding={"enum": ["b64", "raw"]},
        content_type={"enum": ["image/jpeg"]},
        entity_category=_CATEGORY,
    ),
    "update": _entity(
        "update",
        ["state_topic"],
        **_SHOWS,
        title=TEXT,
        release_url=URL,
        device_class={"enum": ["firmware"]},
        entity_category={"enum": ["config", "diagnostic"]},
    ),
}

_DEVICE_TEXTS = (
    *("name", "manufacturer", "model", "model_id", "hw_version"),
    *("serial_number", "sw_version", "suggested_area", "via_device"),
)
DEVICE_DISCOVERY: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "device": {
            "type": "object",
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                **dict.fromkeys(_DEVICE_TEXTS, TEXT),
                "configuration_url": URL,
            },
            "required": ["identifiers", "name"],
            "additionalProperties": False,
        },
        "origin": {
            "type": "object",
            "properties": {"name": TEXT, "sw_version": TEXT, "support_url": URL},
            "required": ["name"],
            "additionalProperties": False,
        },
        "availability": _AVAILABILITY,
        "components": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "oneOf": [
                    *ENTITIES.values(),
                    {  # takes an entity away
                        "type": "object",
                        "properties": {"platform": {"enum": list(ENTITIES)}},
                        "required": ["platform"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
    },
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
}
