"""The section about Home Assistant."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import Section

DiscoveryPrefix = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*$", max_length=64)
]
"""One or more levels of a topic, as Home Assistant takes them."""


class HomeAssistantSettings(Section, frozen=True):
    """Whether the device announces itself to Home Assistant, at the same broker."""

    enabled: bool = False
    discovery_prefix: DiscoveryPrefix = "homeassistant"
    """As in the options of Home Assistant's MQTT integration."""
