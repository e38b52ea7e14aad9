"""The settings: one TOML file, one typed section each, everything defaulted except the broker."""

from __future__ import annotations

from edge.config.calendar import (
    MAX_SHIFT,
    SHIFT_NAME,
    CalendarSettings,
    SeasonSettings,
    ShiftSettings,
)
from edge.config.file import (
    DEFAULT_PATH,
    SCHEMA,
    SERVICE_USER,
    load_settings,
    parse_settings,
    readable_by_service,
)
from edge.config.history import HistorySettings
from edge.config.home_assistant import HomeAssistantSettings
from edge.config.hours import Hours
from edge.config.metrics import MetricsSettings
from edge.config.notify import (
    EmailSettings,
    NotifyTarget,
    NtfySettings,
    TargetSettings,
    TelegramSettings,
    WebhookSettings,
)
from edge.config.page import PageSettings
from edge.config.reporting import (
    CommandSettings,
    DeviceSettings,
    HealthSettings,
    MqttSettings,
    OutboxSettings,
    SnapshotSettings,
    broker_at,
    state_directory,
)
from edge.config.section import CREDENTIAL, Polygon, Polygons, Section
from edge.config.seeing import (
    LINGER_S,
    SLACK_S,
    CameraSettings,
    ClassifierSettings,
    DetectorSettings,
    PolicySettings,
    TrackerSettings,
    lingers_s,
)
from edge.config.settings import ReleaseSettings, Settings
from edge.config.sight import SightSettings
from edge.config.sign import LANGUAGES, NOTICES, Notices, SignSettings
from edge.config.signal import SignalSettings
from edge.config.station import StationSettings
from edge.config.zones import MOST_ZONES, ZoneList, ZonePolicy, ZoneSettings, refuse_zones

__all__ = [
    "CREDENTIAL",
    "DEFAULT_PATH",
    "LANGUAGES",
    "LINGER_S",
    "MAX_SHIFT",
    "MOST_ZONES",
    "NOTICES",
    "SCHEMA",
    "SERVICE_USER",
    "SHIFT_NAME",
    "SLACK_S",
    "CalendarSettings",
    "CameraSettings",
    "ClassifierSettings",
    "CommandSettings",
    "DetectorSettings",
    "DeviceSettings",
    "EmailSettings",
    "HealthSettings",
    "HistorySettings",
    "HomeAssistantSettings",
    "Hours",
    "MetricsSettings",
    "MqttSettings",
    "Notices",
    "NotifyTarget",
    "NtfySettings",
    "OutboxSettings",
    "PageSettings",
    "PolicySettings",
    "Polygon",
    "Polygons",
    "ReleaseSettings",
    "SeasonSettings",
    "Section",
    "Settings",
    "ShiftSettings",
    "SightSettings",
    "SignSettings",
    "SignalSettings",
    "SnapshotSettings",
    "StationSettings",
    "TargetSettings",
    "TelegramSettings",
    "TrackerSettings",
    "WebhookSettings",
    "ZoneList",
    "ZonePolicy",
    "ZoneSettings",
    "broker_at",
    "lingers_s",
    "load_settings",
    "parse_settings",
    "readable_by_service",
    "refuse_zones",
    "state_directory",
]
