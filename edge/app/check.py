"""`tensormask check`: is everything there that `run` needs? One line for each part."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from edge.app.sandbox import STARTING
from edge.capture.camera import GRACE_S, frames_of
from edge.capture.sources import is_sensor
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.runtime import runtime_version
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import OutboxSettings, Settings, load_settings
from edge.control.snapshot import open_photographer
from edge.detect.detectors import open_detector, refuse_unknown
from edge.errors import (
    BrokerError,
    CameraError,
    ConfigError,
    ModelError,
    NotAllowedError,
    PictureError,
    TensorMaskError,
)
from edge.host.in_use import (
    CHANGED,
    broker_name,
    has_changed,
    is_same_broker,
    public_source,
)
from edge.host.status_file import DIRECTORY, read_telemetry
from edge.page.drawn import FILE, AreaBook
from edge.page.front import front_of
from edge.publish.messages import origin
from edge.publish.probe import Probe, probe_broker
from edge.records import Frame, ModelId
from edge.secret import are_withheld
from edge.telemetry import CameraState, Telemetry
from edge.track import Tracker

BROKER_TIMEOUT_S = 5.0
LABEL = 23
"""Columns before the text of a line."""


class State(StrEnum):
    OK = "ok"
    FAILED = "FAILED"
    HINT = "hint"
    """It is no failure, but something is to be done."""
    UNKNOWN = "unknown"
    """It cannot be told here, and is no failure."""


class Checked(msgspec.Struct, frozen=True):
    """What became of one part."""

    part: str
    state: State
    text: str


def line(checked: Checked) -> str:
    """Return it for eyes."""
    return f"{checked.part:<13}  {checked.state:<7} {checked.text}"


Say = Callable[[Checked], None]


class Place(Protocol):
    """Where a command runs as the service would: `InstalledUnit`."""

    @property
    def status(self) -> str: ...
    def run(self, arguments: Sequence[str]) -> int: ...


class NotHereError(TensorMaskError):
    """Check elsewhere: this cannot be told here, and is no failure."""

    exit_status = 0


def check_configuration(config: Path) -> Settings:
    """Return the settings, if they and the page's files are of use. Raises ConfigError."""
    settings = load_settings(config)
    refuse_unknown(settings.detector.name)
    if settings.page.enabled and not are_withheld(settings.page.files):
        front_of(settings.page, b"")
    return settings


def check_model(settings: Settings) -> str:
    bundle = load_bundle(settings.classifier.bundle)
    MaskClassifier(bundle, settings.classifier)
    return f"{bundle.card.name} {bundle.card.version}, {runtime_version()}"


def check_detector(settings: Settings) -> str:
    chosen, folder = settings.detector, settings.outbox.file.parent
    # The service's is closed to others.
    if os.access(folder / FILE, os.R_OK) and (damage := AreaBook(chosen, folder).damage):
        raise ConfigError(damage)
    open_photographer(settings, Tracker(settings.tracker))
    return open_detector(chosen.name, chosen.model, chosen.confidence, chosen.sure_confidence).name


def check_camera(settings: Settings) -> str:
    try:
        frame = picture_of(settings)
    except PictureError as error:
        raise ConfigError(f"[camera] source: {error}") from error
    return f"frames of {frame.width} x {frame.height}"


def picture_of(settings: Settings, number: int = 1) -> Frame:
    """Return so many frames' last, or as far as the camera comes. Raises CameraError: none came."""
    frames = frames_of(settings.camera)
    # The source says itself, in time, what is wrong; only one that hangs does not.
    limit_s = settings.camera.open_timeout_s + GRACE_S
    last = None
    try:
        deadline_s = time.monotonic() + limit_s
        while number and time.monotonic() < deadline_s and not frames.ended:
            if frame := frames.read(0.5):
                last, number = frame, number - 1
    finally:
        frames.close()
    if last is not None:
        return last
    raise CameraError(
        f"no frame within {limit_s:g} s; is it connected, and does no other program use it?"
    )


def check_broker(settings: Settings, telemetry: Telemetry | None = None) -> str:
    """Ask the service that runs with these settings; else go to the broker as it would.

    `telemetry` is what it says of itself; None: it is looked for.
    """
    telemetry = telemetry or settled_telemetry(settings.outbox)
    if telemetry is not None and is_same_broker(telemetry.in_use, settings):
        return told_of_broker(telemetry, broker_name(settings))
    if are_withheld(settings.mqtt.files):
        raise NotHereError("systemd gives its credentials to the service only: check with sudo")
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


def told_of_broker(telemetry: Telemetry, name: str) -> str:
    """Return what the running service says of its broker. Raises BrokerError."""
    broker = telemetry.broker
    if not broker.connected or broker.refusal:
        why = broker.refusal or broker.trouble or f"not connected to {name} yet; ask again"
        raise BrokerError(f"in use by the running service: {why}")
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


def check(config: Path, parts: Collection[str], say: Say) -> int:
    """Check the configuration, then the named `parts`; say of each what became of it.

    Returns the exit status: 0, or that of the gravest failure (78 before 1). Raises NotAllowedError
    where nothing can be checked for want of the settings.
    """
    try:
        settings = check_configuration(config)
    except NotAllowedError:
        raise
    except TensorMaskError as error:
        say(Checked("configuration", State.FAILED, str(error)))
        return error.exit_status
    say(Checked("configuration", State.OK, str(config)))
    status = 0
    for name in parts:
        try:
            say(Checked(name, State.OK, PARTS[name](settings)))
        except TensorMaskError as error:
            say(Checked(name, State.FAILED if error.exit_status else State.UNKNOWN, str(error)))
            status = max(status, error.exit_status)
    return status


def check_as_service(
    service: Place,
    config: Path,
    parts: Collection[str],
    say: Say,
    options: Sequence[str] = (),
    telemetry: Telemetry | None = None,
) -> int:
    """Do the same as the service would see it: as its user, in its sandbox, with its credentials.

    `options` are for the command there, which says its part itself. A camera that the running
    service has, as it says in its `telemetry`, is not opened a second time: another one is.
    """
    used = None if telemetry is None else telemetry.in_use
    try:
        settings = load_settings(config)
        has_camera = (
            bool(service.status)
            and "camera" in parts
            and is_sensor(settings.camera)
            # Of an older version, which does not say, it is taken for the same.
            and (used is None or used.source == public_source(settings.camera.source))
        )
    except TensorMaskError:
        has_camera = False  # said below
    asked = ["configuration", *(part for part in parts if part != "camera" or not has_camera)]
    only = [word for part in asked for word in ("--only", part)]
    status = service.run(["check", "--here", "--config", str(config.absolute()), *options, *only])
    if has_camera:
        is_seen = not any(word in service.status for word in (CameraState.LOST, STARTING))
        state = State.OK if is_seen else State.FAILED
        say(Checked("camera", state, f"in use by the running service: {service.status}"))
        status = max(status, 0 if is_seen else 1)
    if service.status and has_changed(used, config):
        say(Checked("service", State.HINT, f"{config} {CHANGED}"))
    return status
