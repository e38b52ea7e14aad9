"""Values that the tests send."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from edge.config import DeviceSettings, MqttSettings, Settings
from edge.decide.identity import EventIds
from edge.publish.messages import ModelIdentity, Origin
from edge.publish.probe import probe_broker
from edge.records import Violation, ViolationState

NOW = datetime(2026, 11, 23, 14, 3, 21, 250_000, tzinfo=UTC)
ORIGIN = Origin(
    device_id="door-1",
    site="Museum",
    zone="north entrance",
    model=ModelIdentity(name="mobilenet-v2", version="1.0.0", sha256="0f" * 32),
)


def a_violation(number: int = 0, state: ViolationState = ViolationState.CONFIRMED) -> Violation:
    """Return a violation that differs from those of other numbers."""
    is_over = state is ViolationState.ENDED
    return Violation(
        event_id=EventIds(random.Random(number))(NOW),
        state=state,
        track_id=number + 1,
        started_at=NOW - timedelta(seconds=1.25),
        confirmed_at=NOW,
        ended_at=NOW + timedelta(seconds=11) if is_over else None,
        duration_s=12.25 if is_over else 1.25,
        bare_probability=0.96125,
        face_px=71.53,
        probability=0.96125,
    )


def probed(mqtt: MqttSettings, timeout_s: float = 5.0, device_id: str = "door-1") -> str:
    """Try a broker as the service would; return the version of MQTT spoken."""
    settings = Settings(mqtt=mqtt, device=DeviceSettings(id=device_id))
    return str(probe_broker(settings, ORIGIN, timeout_s=timeout_s).version)
