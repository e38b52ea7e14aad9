"""`tensormask check`: is everything there that `run` needs? One line for each part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from edge.capture.camera import frames_of
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.runtime import runtime_version
from edge.config import Settings, load_settings
from edge.control.snapshot import open_photographer
from edge.detect.detectors import open_detector
from edge.errors import BrokerError, CameraError, TensorMaskError
from edge.publish.publisher import probe_broker
from edge.track import Tracker

BROKER_TIMEOUT_S = 5.0


def check_model(settings: Settings) -> str:
    bundle = load_bundle(settings.classifier.bundle)
    MaskClassifier(bundle, settings.classifier)
    return f"{bundle.card.name} {bundle.card.version}, {runtime_version()}"


def check_detector(settings: Settings) -> str:
    chosen = settings.detector
    open_photographer(settings, Tracker(settings.tracker))
    return open_detector(chosen.name, chosen.model, chosen.confidence).name


def check_camera(settings: Settings) -> str:
    frames = frames_of(settings.camera)
    try:
        deadline_s = time.monotonic() + settings.camera.open_timeout_s
        while time.monotonic() < deadline_s and not frames.ended:
            if frame := frames.read(0.5):
                return f"frames of {frame.width} x {frame.height}"
    finally:
        frames.close()
    raise CameraError(
        f"no frame within {settings.camera.open_timeout_s:g} s; is it connected, and does no "
        "other program use it?"
    )


def check_broker(settings: Settings) -> str:
    if settings.mqtt.needs_credentials and "CREDENTIALS_DIRECTORY" not in os.environ:
        raise BrokerError(
            "not asked: systemd gives its credentials to the service only; see its status and log"
        )
    version = probe_broker(settings.mqtt, BROKER_TIMEOUT_S)
    return f"{settings.mqtt.host}:{settings.mqtt.broker_port}, {version}"


PARTS: dict[str, Callable[[Settings], str]] = {
    "model": check_model,
    "detector": check_detector,
    "camera": check_camera,
    "broker": check_broker,
}


def check(config: Path, parts: Collection[str], say: Callable[[str], None]) -> int:
    """Check the configuration, then the named `parts`; say a line for each.

    Returns the exit status: 0, or that of the gravest failure (78 before 1).
    """
    try:
        settings = load_settings(config)
    except TensorMaskError as error:
        say(f"configuration  FAILED  {error}")
        return error.exit_status
    say(f"configuration  ok      {config}")
    status = 0
    for name in parts:
        try:
            say(f"{name:<13}  ok      {PARTS[name](settings)}")
        except TensorMaskError as error:
            say(f"{name:<13}  FAILED  {error}")
            status = max(status, error.exit_status)
    return status
