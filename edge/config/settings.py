"""All sections together."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.address import Sensor, source_in
from edge.config.calendar import CalendarSettings
from edge.config.cameras import Cameras, refuse_together
from edge.config.history import HistorySettings
from edge.config.home_assistant import HomeAssistantSettings
from edge.config.metrics import MetricsSettings
from edge.config.notify import NotifyTargets
from edge.config.page import PageSettings
from edge.config.reporting import (
    CommandSettings,
    DeviceSettings,
    HealthSettings,
    MqttSettings,
    OutboxSettings,
    SnapshotSettings,
)
from edge.config.section import Section
from edge.config.seeing import (
    LINGER_S,
    CameraSettings,
    ClassifierSettings,
    DetectorSettings,
    PolicySettings,
    TrackerSettings,
)
from edge.config.sight import SightSettings
from edge.config.sign import SignSettings
from edge.config.signal import SignalSettings
from edge.config.station import StationSettings
from edge.config.zones import ZoneList, refuse_zones


class ReleaseSettings(Section, frozen=True):
    """Another release, or model, on an installed device."""

    trial_s: Annotated[float, msgspec.Meta(ge=10, le=86_400)] = 600.0
    """It must do well for so long; until then it is undone where it does worse than the former."""
    keep: Annotated[int, msgspec.Meta(ge=2, le=20)] = 3
    """How many releases, and models of a kind, stay installed."""


class LogSettings(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section, frozen=True):
    """The whole file."""

    mqtt: MqttSettings
    device: DeviceSettings = msgspec.field(default_factory=DeviceSettings)
    camera: CameraSettings = msgspec.field(default_factory=CameraSettings)
    """The only one, or the first."""
    cameras: Cameras = ()
    """All of them where there are several; empty: there is one."""
    detector: DetectorSettings = msgspec.field(default_factory=DetectorSettings)
    classifier: ClassifierSettings = msgspec.field(default_factory=ClassifierSettings)
    tracker: TrackerSettings = msgspec.field(default_factory=TrackerSettings)
    policy: PolicySettings = msgspec.field(default_factory=PolicySettings)
    zone: ZoneList = ()
    """In this order: where two overlap, the first holds."""
    outbox: OutboxSettings = msgspec.field(default_factory=OutboxSettings)
    commands: CommandSettings = msgspec.field(default_factory=CommandSettings)
    snapshots: SnapshotSettings = msgspec.field(default_factory=SnapshotSettings)
    page: PageSettings = msgspec.field(default_factory=PageSettings)
    home_assistant: HomeAssistantSettings = msgspec.field(default_factory=HomeAssistantSettings)
    metrics: MetricsSettings = msgspec.field(default_factory=MetricsSettings)
    notify: NotifyTargets = ()
    signal: SignalSettings = msgspec.field(default_factory=SignalSettings)
    station: StationSettings = msgspec.field(default_factory=StationSettings)
    sign: SignSettings = msgspec.field(default_factory=SignSettings)
    history: HistorySettings = msgspec.field(default_factory=HistorySettings)
    calendar: CalendarSettings = msgspec.field(default_factory=CalendarSettings)
    sight: SightSettings = msgspec.field(default_factory=SightSettings)
    health: HealthSettings = msgspec.field(default_factory=HealthSettings)
    release: ReleaseSettings = msgspec.field(default_factory=ReleaseSettings)
    log: LogSettings = msgspec.field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        """Refuse, each by itself right, what together does not work."""
        self.metrics.refuse_beside(self.page)
        self._refuse_targets()
        names = {each.name for each in self.each_camera} | (set() if self.cameras else {""})
        refuse_zones(self.zone, self.classifier.min_face_px, sorted(names))
        if self.signal.enabled and self.signal.relay_pin and not self.station.enabled:
            raise ValueError(
                "[signal] relay_pin: the relay is on for a person who may go, which only the "
                "station knows; set [station] enabled = true"
            )
        if self.cameras:
            refuse_together(self.cameras, bool(self.detector.watched or self.detector.excluded))
        for camera in self.each_camera:
            self._refuse_gaps(camera)
        self._refuse_area_twice()
        if self.sign.enabled and not self.page.enabled:
            raise ValueError("[sign] is a part of the page: it needs [page] enabled = true")
        if self.station.enabled and self.station.min_face_px < self.classifier.min_face_px:
            raise ValueError(
                "[station] min_face_px must be at least [classifier] min_face_px: nobody at the "
                "station would be judged"
            )

    @property
    def each_camera(self) -> tuple[CameraSettings, ...]:
        """All of them, one or several."""
        return self.cameras or (self.camera,)

    def section_of(self, camera: CameraSettings) -> str:
        """Return how a camera's section is named to people: `[camera]`, `[[camera]] hall`."""
        return f"[[camera]] {camera.name}" if self.cameras else "[camera]"

    def of(self, camera: CameraSettings) -> Settings:
        """Return the settings as they are for one of the cameras: it is the only one in them, and
        what it has of its own is where a single one has it."""
        detector, device = self.detector, self.device
        if camera.regions or camera.excluded:
            detector = msgspec.structs.replace(
                detector, region=(), regions=camera.regions, excluded=camera.excluded
            )
        if camera.zone:
            device = msgspec.structs.replace(device, zone=camera.zone)
        plain = msgspec.structs.replace(camera, regions=(), excluded=())
        zones = tuple(each for each in self.zone if each.camera in (camera.name, ""))
        return msgspec.structs.replace(
            self, camera=plain, cameras=(), detector=detector, device=device, zone=zones
        )

    def _refuse_area_twice(self) -> None:
        camera, detector = self.camera, self.detector
        has_two = (camera.regions or camera.excluded) and (detector.watched or detector.excluded)
        if has_two and not self.cameras:
            raise ValueError(
                "[camera] regions and excluded are in the place of [detector] region, regions and "
                "excluded: keep one of the two"
            )

    def _refuse_gaps(self, camera: CameraSettings) -> None:
        is_sensor = isinstance(source_in(camera.source), Sensor)
        frame_s = 1 / camera.fps if is_sensor else 0.0
        for gap_s, wanted in (
            (
                self.detector.gap_s(frame_s),
                "[detector] every_s must be below [tracker] max_missed_s",
            ),
            (
                self.detector.still_gap_s(frame_s),
                "[detector] full_every_s must be below [tracker] max_missed_s, and below "
                f"{LINGER_S:g} s unless idle_every_s is below max_missed_s too",
            ),
        ):
            if gap_s >= self.tracker.bridged_s(frame_s):
                raise ValueError(f"{wanted}: every person would be lost between two scans")

    def _refuse_targets(self) -> None:
        names = [target.name.lower() for target in self.notify]
        for number, target in enumerate(self.notify, 1):
            place = f"[[notify]] number {number} ({target.name})"
            if names.index(target.name.lower()) != number - 1:
                raise ValueError(f"{place}: another one has this name")
            # Not with "faces" either: a server of others must not get recognizable people.
            if target.snapshot and self.snapshots.pictures != "pixelated":
                raise ValueError(
                    f'{place}: snapshot = true needs [snapshots] pictures = "pixelated"'
                )
