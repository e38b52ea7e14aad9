"""Which device is announced, what it can do, and what it is called there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from edge.publish.messages import CommandName, topic

VENDOR = "TensorMask"


@dataclass(frozen=True, slots=True)
class Subject:
    """One device, as its settings say."""

    topic_prefix: str
    device_id: str
    version: str
    """The program's, or the installed release's name."""
    area: str = ""
    """Where it is; empty: Home Assistant's owner says so."""
    page_url: str = ""
    """Where a browser reaches its page; empty: nowhere that is known."""
    commands: frozenset[CommandName] = frozenset()
    """Which it obeys."""
    has_pictures: bool = False
    """Whether it publishes pictures, with every face covered."""
    has_releases: bool = False
    """Whether it is installed, and so publishes its release."""
    health_every_s: float = 30.0
    cameras: tuple[str, ...] = ()
    """The names of several; empty: there is one."""
    former_cameras: tuple[str, ...] = ()
    """Whose entities may still be there."""

    @property
    def key(self) -> str:
        """What no other device has: also those of another prefix at the same Home Assistant."""
        return f"{self.topic_prefix}/{self.device_id}"

    @property
    def name(self) -> str:
        """The name for people; that of each entity begins with it."""
        is_said = self.device_id.lower().startswith(VENDOR.lower())
        return self.device_id if is_said else f"{VENDOR} {self.device_id}"

    @property
    def slug(self) -> str:
        """The name as a part of entity ids: small letters, digits and single underscores."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")

    def topic(self, name: str) -> str:
        return topic(self.topic_prefix, self.device_id, name)


def config_topic(discovery_prefix: str, subject: Subject) -> str:
    """Return where the device is announced."""
    node, device = _level(subject.topic_prefix), _level(subject.device_id)
    return f"{discovery_prefix}/device/{node}/{device}/config"


def birth_topic(discovery_prefix: str) -> str:
    """Return where Home Assistant says `online` when it has started."""
    return f"{discovery_prefix}/status"


def _level(text: str) -> str:
    """Return a level of a discovery topic, which has no dots; another one for each text."""
    plain = text.replace(".", "_")
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
