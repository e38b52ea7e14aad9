"""What the service needs, part by part: configuration, models, camera and broker."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path

from edge.address import FileSource, PiSource, source_in
from edge.capture.trial import tried
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.runtime import runtime_version
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import OutboxSettings, Settings, load_settings
from edge.detect.detectors import OWN, open_detector, refuse_wrong
from edge.errors import (
    BrokerError,
    CameraError,
    ConfigError,
    ModelError,
    OutboxError,
    PictureError,
    TensorMaskError,
)
from edge.host.in_use import (
    broker_name,
    is_same_broker,
)
from edge.host.status_file import DIRECTORY, read_telemetry
from edge.host.unfit import refuse_unfit
from edge.installed import is_started_by_systemd
from edge.notify.channels import open_channel
from edge.page.drawn import FILE, AreaBook, area_folder
from edge.page.front import front_of
from edge.privacy.heads import open_covering
from edge.privacy.picture import open_photographer
from edge.publish.broker import BrokerAccess
from edge.publish.messages import origin
from edge.publish.outbox.disk import make_file
from edge.publish.probe import Probe, probe_broker
from edge.records import ModelId
from edge.secret import are_withheld
from edge.telemetry import Telemetry
from edge.track import Tracker

BROKER_TIMEOUT_S = 5.0
WITHHELD = "systemd gives its credentials to the service only: check with sudo"


class NotHereError(TensorMaskError):
    """Check elsewhere: this cannot be checked here, and is no failure."""

    exit_status = 0


def check_configuration(config: Path) -> Settings:
    """Return the settings, if they and the page's files are of use. Raises ConfigError."""
    settings = load_settings(config)
    refuse_unfit(settings)
    chosen = settings.detector
    refuse_wrong(chosen.name, chosen.model, chosen.confidence, chosen.sure_confidence)
    page, metrics, sign = settings.page, settings.metrics, settings.sign
    if page.enabled and not are_withheld((*page.files, metrics.token_file, *sign.files)):
        front_of(page, b"", metrics, sign)
    for target in settings.notify:
        if not are_withheld(target.files):
            open_channel(target)
    return settings


def check_model(settings: Settings) -> str:
    bundle = load_bundle(settings.classifier.bundle)
    MaskClassifier(bundle, settings.classifier)
    return f"{bundle.card.name} {bundle.card.version}, {runtime_version()}"


def check_detector(settings: Settings) -> str:
    for camera in settings.each_camera:
        chosen, folder = settings.of(camera).detector, area_folder(settings, camera)
        # The service's is closed to others.
        if os.access(folder / FILE, os.R_OK) and (damage := AreaBook(chosen, folder).damage):
            raise ConfigError(damage)
    return _opened_detector(settings)


def _opened_detector(settings: Settings) -> str:
    chosen, page = settings.detector, settings.page
    open_photographer(settings, Tracker(settings.tracker))
    if page.enabled and page.heads == "pixelated":
        open_covering(chosen)
    return open_detector(chosen.name, chosen.model, chosen.confidence, chosen.sure_confidence).name


def each_part(name: str, settings: Settings) -> Iterator[tuple[str, Settings]]:
    """Yield what is checked for a part, and the settings for that: each of several cameras."""
    if name != "camera" or not settings.cameras:
        yield name, settings
        return
    for camera in settings.cameras:
        yield f"camera {camera.name}", settings.of(camera)


def check_camera(settings: Settings) -> str:
    if are_withheld(settings.camera.files):
        raise NotHereError(WITHHELD)
    try:
        trial = tried(settings.camera)
    except PictureError as error:
        raise ConfigError(f"[camera] source: {error}") from error
    if trial.comes_in_bursts:
        raise CameraError(
            f"frames come in bursts, {trial.pause_s:.1f} s apart: nobody can be followed; a better "
            "line, or the camera's rtsp:// address"
        )
    size = f"frames of {trial.frame.width} x {trial.frame.height}"
    if trial.fps is None:
        return size
    few = "; too few to follow people" if trial.is_slow else ""
    return f"{size}, {trial.fps:.1f} per second{few}"


def check_broker(settings: Settings, telemetry: Telemetry | None = None) -> str:
    """Ask the service that runs with these settings; else go to the broker as it would.

    `telemetry` is what it says of itself; None: it is looked for.
    """
    telemetry = telemetry or settled_telemetry(settings.outbox)
    if telemetry is not None and is_same_broker(telemetry.in_use, settings):
        return broker_in_use(telemetry, broker_name(settings))
    if are_withheld(settings.mqtt.files):
        raise NotHereError(WITHHELD)
    probe = probe_as_service(settings, telemetry)
    if probe.faults:
        raise BrokerError(f"the broker {broker_name(settings)}: {'; '.join(probe.faults)}")
    return "; ".join((f"{broker_name(settings)}, {probe.version}", *probe.hints))


def settled_telemetry(outbox: OutboxSettings, clock: Clock = SYSTEM_CLOCK) -> Telemetry | None:
    """Return what the running service says, once it has tried its broker; None: none runs."""
    until_s = clock.monotonic_s() + 2 * BROKER_TIMEOUT_S
    while True:
        telemetry = read_telemetry()
        if telemetry is not None:
            is_settled = telemetry.broker.connected or telemetry.broker.trouble != ""
        else:
            # The folder is there as long as the service is, the outbox as soon as it is locked.
            is_settled = not (DIRECTORY.exists() and is_open_elsewhere(outbox.file))
        if is_settled or clock.monotonic_s() > until_s:
            return telemetry
        clock.sleep(0.5)


def broker_in_use(telemetry: Telemetry, name: str) -> str:
    """Return what the running service says of its broker. Raises BrokerError."""
    broker = telemetry.broker
    if not broker.connected or broker.refusal:
        why = broker.refusal or broker.trouble or f"not connected to {name} yet; ask again"
        raise BrokerError(f"the running service: {why}")
    text = f"in use by the running service: connected to {name}, {broker.protocol}"
    return "; ".join((text, *broker.limits))


def probe_as_service(settings: Settings, telemetry: Telemetry | None) -> Probe:
    """Go to the broker as the service would; `telemetry` is of one that runs, with others.

    Raises BrokerError, ConfigError.
    """
    used = None if telemetry is None else telemetry.in_use
    try:
        model = load_bundle(settings.classifier.bundle).card.model_id
    except ModelError:  # another part's fault
        model = ModelId("none", "0", "0" * 64)
    return probe_broker(
        settings,
        origin(settings.device, model),
        is_alone=telemetry is None and not is_open_elsewhere(settings.outbox.file),
        is_online=used is not None and used.device_id == settings.device.id,
        timeout_s=BROKER_TIMEOUT_S,
    )


def is_open_elsewhere(outbox: Path) -> bool:
    """Tell whether a service has this outbox: it locks it."""
    try:
        with closing(sqlite3.connect(f"{outbox.absolute().as_uri()}?mode=ro", 0, uri=True)) as file:
            file.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False


PARTS: dict[str, Callable[[Settings], str]] = {
    "model": check_model,
    "detector": check_detector,
    "camera": check_camera,
    "broker": check_broker,
}


def _refuse_model(settings: Settings) -> None:
    if settings.classifier.bundle:
        check_model(settings)


def _refuse_detector(settings: Settings) -> None:
    if settings.detector.model or settings.detector.name not in ("auto", OWN.name):
        _opened_detector(settings)


def _refuse_sources(settings: Settings) -> None:
    for camera in settings.each_camera:
        _refuse_source(settings.of(camera))


def _refuse_source(settings: Settings) -> None:
    match source_in(settings.camera.source):
        case FileSource():
            check_camera(settings)
        case PiSource() if is_started_by_systemd():  # elsewhere it may be another machine's
            from edge.capture.picamera import require_picamera2

            require_picamera2()


def _refuse_broker(settings: Settings) -> None:
    if not are_withheld(settings.mqtt.files):
        BrokerAccess(settings.mqtt)


def _refuse_outbox(settings: Settings) -> None:
    if settings.outbox.path and is_started_by_systemd():  # another user's file would be in its way
        try:
            make_file(settings.outbox.file)
        except OutboxError as error:
            raise ConfigError(str(error)) from error


NAMED: dict[str, Callable[[Settings], None]] = {
    "model": _refuse_model,
    "detector": _refuse_detector,
    "camera": _refuse_sources,
    "broker": _refuse_broker,
    "outbox": _refuse_outbox,
}
"""What the service would refuse at its start of what the settings name, by the part that looks at
it in earnest. What comes with a release, or `tensormask models` has put to use, is none of it."""


def check_settings(config: Path, apart: Collection[str] = ()) -> Settings:
    """Return the settings, if the service would start with them and with all that they name.

    It leaves out the parts that are checked `apart`. Raises ConfigError, ModelError,
    MissingPackageError.
    """
    settings = check_configuration(config)
    for part, refuse in NAMED.items():
        if part not in apart:
            refuse(settings)
    return settings
