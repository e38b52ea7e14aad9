"""What is known of the eyes of a device: as measured at its door, else as its models say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from edge.classify.card import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.config import Settings
from edge.detect.detectors import identify
from edge.errors import ModelError
from edge.eyes import NetworkPair, eyes_in_use, eyes_of_bundle
from edge.files import DamagedFileError
from edge.history.records import EntryKind
from edge.history.store import FILE, HistoryReader
from edge.rates import Eyes

_END = datetime(9999, 1, 1, tzinfo=UTC)


def eyes_of(settings: Settings, camera: str = "") -> Eyes | None:
    """Return by what rates of these settings are corrected; None: nothing is known of the eyes.

    `camera` empty: the only one. Where there are several it is all of them, and what was measured
    at one of them says nothing about the others.

    Raises ModelError, ConfigError, HistoryError.
    """
    bundle = load_bundle(settings.classifier.bundle)
    networks = _networks(settings, bundle)
    try:
        of_bundle = eyes_of_bundle(bundle.folder, networks)
        if of_bundle is None:
            # The same model, installed by itself.
            of_bundle = eyes_of_bundle(DEFAULT_BUNDLE, networks)
    except DamagedFileError as error:
        raise ModelError(str(error)) from error
    cameras = settings.each_camera
    if not camera and len(cameras) > 1:
        return of_bundle
    measured = qualifications(settings.outbox.file.parent / FILE)
    return eyes_in_use(measured, of_bundle, networks, camera or cameras[0].name)


def networks_of(settings: Settings) -> NetworkPair:
    """Return which networks judge with these settings. Raises ModelError, ConfigError."""
    return _networks(settings, load_bundle(settings.classifier.bundle))


def qualifications(history: Path) -> list[str]:
    """Return the texts of all measurements at this door, the newest last; none without a history.

    Raises HistoryError.
    """
    if not history.exists():
        return []
    with HistoryReader(history) as reader:
        return [each.text for each in reader.entries(EntryKind.QUALIFIED, _END)]


def _networks(settings: Settings, bundle: Bundle) -> NetworkPair:
    detector = identify(settings.detector.name, settings.detector.model)
    return NetworkPair(bundle.card.model_sha256, detector.sha256)
