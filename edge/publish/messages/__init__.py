"""What goes over MQTT: topics and payloads. Pure: times, counts and identity come from outside.

`docs/mqtt.md` is the reference for receivers; `schemas/` beside this has the same as JSON Schema,
made from the structs below. Within a schema's version fields are only ever added.
"""

from __future__ import annotations

from typing import Final

from edge.publish.messages.acknowledgement import AcknowledgementMessage, acknowledgement_message
from edge.publish.messages.availability import (
    AvailabilityMessage,
    AvailabilityState,
    availability_message,
)
from edge.publish.messages.commands import CommandName, CommandOutcome, ResponseMessage
from edge.publish.messages.common import (
    ACKNOWLEDGEMENT,
    AVAILABILITY,
    COMMAND,
    COMPLIANCE,
    HEALTH,
    HOUR,
    PRESENCE,
    RELEASE,
    REPORT,
    RESPONSE,
    SNAPSHOT,
    VIOLATION,
    Message,
    ModelIdentity,
    Origin,
    encode,
    every_field,
    origin,
    retained_topics,
    timestamp,
    topic,
    with_sequence,
)
from edge.publish.messages.compliance import (
    CameraCompliance,
    ComplianceMessage,
    ComplianceTally,
    compliance_message,
)
from edge.publish.messages.health import (
    BrokerHealth,
    CameraHealth,
    ClockHealth,
    DetectorIdentity,
    DroppedHealth,
    HealthMessage,
    LatencyHealth,
    OneCameraHealth,
    OutboxCondition,
    OutboxHealth,
    PaceHealth,
    Versions,
    health_message,
)
from edge.publish.messages.hour import HourMessage, hour_message
from edge.publish.messages.presence import CameraPresence, PresenceMessage, presence_message
from edge.publish.messages.release import ReleaseMessage, release_message
from edge.publish.messages.report import ReportedPeriod, ReportMessage
from edge.publish.messages.violation import ViolationMessage, violation_message, without_snapshot

__all__ = [
    "ACKNOWLEDGEMENT",
    "AVAILABILITY",
    "COMMAND",
    "COMPLIANCE",
    "HEALTH",
    "HOUR",
    "MESSAGES",
    "PRESENCE",
    "RELEASE",
    "REPORT",
    "RESPONSE",
    "SNAPSHOT",
    "VIOLATION",
    "AcknowledgementMessage",
    "AvailabilityMessage",
    "AvailabilityState",
    "BrokerHealth",
    "CameraCompliance",
    "CameraHealth",
    "CameraPresence",
    "ClockHealth",
    "CommandName",
    "CommandOutcome",
    "ComplianceMessage",
    "ComplianceTally",
    "DetectorIdentity",
    "DroppedHealth",
    "HealthMessage",
    "HourMessage",
    "LatencyHealth",
    "Message",
    "ModelIdentity",
    "OneCameraHealth",
    "Origin",
    "OutboxCondition",
    "OutboxHealth",
    "PaceHealth",
    "PresenceMessage",
    "ReportMessage",
    "ReportedPeriod",
    "ResponseMessage",
    "Versions",
    "ViolationMessage",
    "acknowledgement_message",
    "availability_message",
    "compliance_message",
    "encode",
    "every_field",
    "health_message",
    "hour_message",
    "origin",
    "presence_message",
    "release_message",
    "retained_topics",
    "timestamp",
    "topic",
    "violation_message",
    "with_sequence",
    "without_snapshot",
]

MESSAGES: Final = {
    AVAILABILITY: AvailabilityMessage,
    VIOLATION: ViolationMessage,
    ACKNOWLEDGEMENT: AcknowledgementMessage,
    COMPLIANCE: ComplianceMessage,
    HEALTH: HealthMessage,
    HOUR: HourMessage,
    PRESENCE: PresenceMessage,
    RELEASE: ReleaseMessage,
    REPORT: ReportMessage,
    RESPONSE: ResponseMessage,
}
"""Every kind of message by the last level of its topic."""
