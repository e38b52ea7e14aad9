"""The page, built of the service's parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.config import (
    DetectorSettings,
    Hours,
    Settings,
    ShiftSettings,
    SnapshotSettings,
    ZonePolicy,
)
from edge.daemon.cameras import Post
from edge.daemon.device import Device
from edge.detect.card import FOLDER, found_shares, read_card
from edge.detect.detectors import identify
from edge.installed import Slot, activated
from edge.page.history import PageHistory
from edge.page.labeling import Labels
from edge.page.listener import PageListener
from edge.page.reports import ReportChoices, ReportMaker, ShiftChoice
from edge.page.window import About, PageJournal, Window, no_metrics
from edge.page.windows import CameraWindows
from edge.page.wire import socket_path
from edge.privacy.heads import FaceSearch, Held, open_covering
from edge.privacy.picture import Photographer
from edge.version import version

PICTURES = SnapshotSettings(pictures="pixelated", longest_side_px=640)
"""Larger ones would take a browser's line and the device's processor, and show faces from afar."""


def open_page(
    settings: Settings,
    posts: Sequence[Post],
    device: Device,
    folder: Path,
    metrics: Callable[[bool], bytes] = no_metrics,
    test_notifications: Callable[[], str] | None = None,
    journal: PageJournal | None = None,
    reports: ReportMaker | None = None,
    labels: Labels | None = None,
) -> PageListener | None:
    """Return the page, which shows these `metrics` as text; None where it is not enabled.

    Raises ModelError where heads are to be covered, and no detector for that is here.
    """
    if not settings.page.enabled:
        return None
    covers = settings.page.heads == "pixelated"
    # One detector for all cameras: the page's thread alone uses it.
    covering = open_covering(settings.detector) if covers else None
    names = tuple(each.name for each in settings.cameras)
    history = PageHistory(
        days=settings.history.days, is_recorded=settings.history.enabled, cameras=names
    )
    found = _found_shares(settings.detector)

    def window_of(post: Post, zone: str) -> Window:
        search = None if covering is None else Held(FaceSearch(covering, quarters=False))
        return Window(
            About(settings.device.id, settings.device.site, zone, version(), found),
            post.lookout.observers,
            Photographer(PICTURES, search).take,
            settings.classifier,
            lambda: device.telemetry,
            history,
            post.book,
            post.zones,
            settings.page.fps,
            metrics=metrics,
            test_notifications=test_notifications,
            mute=lambda for_s: device.signal.mute(for_s),
            journal=journal,
            reports=reports,
            choices=lambda: _choices(settings, posts),
            labels=labels,
            camera=post.name if settings.cameras else "",
            cameras=names,
        )

    windows = {
        post.name: window_of(post, settings.of(camera).device.zone)
        for post, camera in zip(posts, settings.each_camera, strict=True)
    }
    window = CameraWindows(windows) if settings.cameras else windows[posts[0].name]
    return PageListener(
        settings.page, window, socket_path(folder), folder, settings.metrics, settings.sign
    )


def _choices(settings: Settings, posts: Sequence[Post]) -> ReportChoices:
    zones = {
        zone.name
        for post in posts
        for zone in post.zones.present
        if zone.policy is not ZonePolicy.IGNORE  # nobody is counted there
    }
    return ReportChoices(tuple(map(_shift, settings.calendar.shifts)), tuple(sorted(zones)))


def _shift(shift: ShiftSettings) -> ShiftChoice:
    spans = Hours.parsed(shift.hours, "hours").spans
    return ShiftChoice(shift.name, tuple(sorted({day for each in spans for day in each.days})))


def _found_shares(chosen: DetectorSettings) -> dict[str, float]:
    """Return what is known of the detector in use; of another one than ours, nothing is."""
    card = read_card(activated(Slot.DETECTOR) or FOLDER)
    is_ours = identify(chosen.name, chosen.model).sha256 == card.sha256
    return found_shares(card) if is_ours else {}
