"""Codes for programs, and what is always true of a condition."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much something matters."""

    FAULT = "fault"
    """The box does not do what it is there for."""
    HINT = "hint"
    """It does, but not as well as it could."""
    OK = "ok"
    UNKNOWN = "unknown"
    """It cannot be found out here."""

    @property
    def label(self) -> str:
        """For eyes: faults stand out."""
        return self.upper() if self is Severity.FAULT else str(self)


class Code(StrEnum):
    """Names a condition, for programs."""

    CAMERA_STARTING = "camera-starting"
    CAMERA_LOST = "camera-lost"
    CAMERA_REFUSED = "camera-refused"
    CAMERA_SLOW = "camera-slow"
    CAMERA_TURNED = "camera-turned"
    FACE_LIFELESS = "face-lifeless"
    VIEW_DARK = "view-dark"
    VIEW_BLINDED = "view-blinded"
    VIEW_COVERED = "view-covered"
    SIGHT_DEGRADED = "sight-degraded"
    AREA_DAMAGED = "area-damaged"
    ZONES_DAMAGED = "zones-damaged"
    JUDGING_STUCK = "judging-stuck"
    PAUSED = "paused"
    RULE_OFF = "rule-off"
    BROKER_CONNECTING = "broker-connecting"
    BROKER_AWAY = "broker-away"
    BROKER_REFUSED = "broker-refused"
    BROKER_LIMITED = "broker-limited"
    MESSAGES_QUEUED = "messages-queued"
    MESSAGES_REJECTED = "messages-rejected"
    DISK_UNWRITABLE = "disk-unwritable"
    TOO_HOT = "too-hot"
    POWER_WEAK = "power-weak"
    MEMORY_SHORT = "memory-short"
    UNDER_VOLTAGE = "under-voltage"
    CERTIFICATE_EXPIRING = "certificate-expiring"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    PAGE_DOWN = "page-down"
    NOTIFY_FAILING = "notify-failing"
    SIGNAL_FAILING = "signal-failing"
    HISTORY_FAILING = "history-failing"
    ON_TRIAL = "on-trial"
    JUST_STARTED = "just-started"
    SETTINGS_CHANGED = "settings-changed"
    SETTINGS_MISSING = "settings-missing"
    SETTINGS_OTHER = "settings-other"
    SETTINGS_UNREADABLE = "settings-unreadable"
    SETTINGS_REFUSED = "settings-refused"
    PACKAGES_WRONG = "packages-wrong"
    MODEL_UNUSABLE = "model-unusable"
    SERVICE_MASKED = "service-masked"
    SERVICE_ABSENT = "service-absent"
    SERVICE_FAILED = "service-failed"
    SERVICE_STOPPED = "service-stopped"
    SERVICE_CHANGING = "service-changing"
    SERVICE_RESTARTED = "service-restarted"
    CRASH_LOOP = "crash-loop"
    UNIT_HIDDEN = "unit-hidden"
    UNIT_CHANGED = "unit-changed"
    NOT_AT_BOOT = "not-at-boot"
    USER_MISSING = "user-missing"
    USER_WITHOUT_VIDEO = "user-without-video"
    STATE_FOREIGN = "state-foreign"
    OUTBOX_QUARANTINED = "outbox-quarantined"
    HISTORY_QUARANTINED = "history-quarantined"
    LEDGER_DAMAGED = "ledger-damaged"
    RELEASE_UNDONE = "release-undone"
    LEFTOVERS = "leftovers"
    CAMERA_UNUSABLE = "camera-unusable"
    OUT_OF_FOCUS = "out-of-focus"
    BROKER_UNUSABLE = "broker-unusable"
    MESSAGES_DROPPED = "messages-dropped"
    PAGE_PORT_TAKEN = "page-port-taken"
    PASSWORD_IN_CLEAR = "password-in-clear"
    CLOCK_WRONG = "clock-wrong"
    DISK_READ_ONLY = "disk-read-only"
    DISK_FULL = "disk-full"
    DISK_NEARLY_FULL = "disk-nearly-full"
    DISK_WITHOUT_INODES = "disk-without-inodes"
    LITTLE_MEMORY = "little-memory"
    MEMORY_UNLIMITED = "memory-unlimited"
    OVERHEATED = "overheated"
    WARM = "warm"
    POWER_TOO_WEAK = "power-too-weak"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConditionKind:
    """What is always true of one condition."""

    severity: Severity
    text: str
    """A sentence; names in braces stand for what is known of this one."""
    fix: str = ""
    """What to do; empty: nothing needs to be done, or the sentence says it."""
    short: str = ""
    """For a column of a table; empty: it is not shown there."""
    past: str = ""
    """What is said of it long after, when nothing more is known of this one; empty: as much of
    `text` as needs no name in braces."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    code: Code
    severity: Severity
    text: str
    fix: str = ""
    subject: str = ""
    """Which one it is, of a kind that may be there several times: a certificate, say."""
    camera: str = ""
    """Which of several cameras it is about; empty: none, or the only one."""
