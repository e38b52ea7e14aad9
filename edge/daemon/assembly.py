"""The service, built of its real parts: what each needs, and who gets to know of whom."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.classify.card import Bundle, load_bundle
from edge.classify.runtime import runtime_version
from edge.clock import clock_synchronised, this_moment
from edge.config import DetectorSettings, Settings
from edge.control.commands import MAX_PAYLOAD_BYTES
from edge.control.desk import note_nothing
from edge.daemon.cameras import (
    Post,
    at_door,
    open_posts,
    photographers_of,
    places_of,
    stopwatches_of,
    watch_of,
    zones_of,
)
from edge.daemon.certificates import certificates
from edge.daemon.clerk import Clerk, open_clerk
from edge.daemon.device import Device
from edge.daemon.former import FILE, FormerIdentities, Identity
from edge.daemon.home_assistant import births, open_home_assistant
from edge.daemon.hours import open_hours
from edge.daemon.labels import LabelDesk, open_labels
from edge.daemon.notifications import open_notifications
from edge.daemon.outlets import Outlet
from edge.daemon.recorder import Recorder, open_history, settings_digest
from edge.daemon.reports import ReportPublisher
from edge.daemon.retention import Retention
from edge.daemon.rule import RuleKeeper
from edge.daemon.service import Service
from edge.daemon.software import SoftwareNotice
from edge.daemon.station import StationOutlet, open_station
from edge.daemon.viewer import open_page
from edge.daemon.visits import open_visits
from edge.detect.detectors import identify
from edge.eyes import NetworkPair
from edge.history.records import RunAbout
from edge.host.health import usable_cores
from edge.host.status_file import StatusFile, runtime_directory
from edge.host.systemd import Notifier
from edge.host.unfit import refuse_unfit
from edge.installed import running_release
from edge.page.listener import PageListener
from edge.page.reports import ReportMaker
from edge.page.window import no_metrics
from edge.publish.messages import DetectorIdentity, Origin, Versions, origin
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from edge.qualify.known import eyes_of
from edge.report.rule import MaskRule
from edge.report.source import ReportSource
from edge.software import InUse
from edge.version import version


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything else is built of."""

    settings: Settings
    bundle: Bundle
    posts: tuple[Post, ...]
    who: Origin
    versions: Versions
    detector: DetectorIdentity
    software: SoftwareNotice | None
    publisher: MqttPublisher
    clerk: Clerk | None
    device: Device
    folder: Path
    """Where the service keeps its state."""

    @property
    def door(self) -> Post:
        """The camera at the door, which station, lamps and sign follow: the one named first."""
        return self.posts[0]


def open_service(settings: Settings, in_use: InUse | None = None) -> Service:
    """Build the service of real parts; `in_use` is what it says of its settings.

    Raises ConfigError, ModelError, OutboxError.
    """
    refuse_unfit(settings)
    parts = _open_parts(settings, in_use)
    device, posts, folder = parts.device, parts.posts, parts.folder
    source = ReportSource.of(
        settings, lambda camera: eyes_of(settings, camera), runtime_directory()
    )
    rule = _open_rule(parts, source)
    station = open_station(settings, parts.door.lookout.observers)
    lamps = _open_lamps(parts, station)
    exporter, metrics = _open_metrics(parts)
    notifications = open_notifications(settings, folder)
    if notifications is not None:
        device.notifiers = notifications.states
    test = None if notifications is None else notifications.test
    reports = None if in_use is None else ReportMaker(Path(in_use.settings), runtime_directory())
    labels = _open_labels(parts)
    page = open_page(settings, posts, device, folder, metrics, test, parts.clerk, reports, labels)
    history = _open_history(parts, page)
    outlets: list[Outlet | None] = [
        rule,
        open_visits(folder, {each.name: each.lookout.observers for each in posts}),
        parts.clerk,
        None if station is None else at_door(station, posts),
        ReportPublisher(source, parts.who, parts.publisher) if settings.history.enabled else None,
        open_home_assistant(settings, parts.publisher, parts.who, photographers_of(posts), folder),
        exporter,
        notifications,
        *_open_sign(parts, station),
        history,
        open_hours(settings, parts.publisher, parts.who, lambda: source.eyes(""))
        if settings.history.enabled
        else None,
        _open_sight(parts, history),
        labels,
    ]
    there = [outlet for outlet in outlets if outlet is not None]
    return Service(watch_of(posts), device, page, there, lamps)


def _open_parts(settings: Settings, in_use: InUse | None) -> Parts:
    bundle = load_bundle(settings.classifier.bundle)
    posts = open_posts(settings, bundle, usable_cores())
    # A single camera's zone is the device's.
    place = settings.device if settings.cameras else settings.of(settings.camera).device
    who = origin(place, bundle.card.model_id)
    outbox = Outbox(
        settings.outbox.file,
        settings.outbox,
        lambda: this_moment(clock_is_right=clock_synchronised()),
    )
    publisher = MqttPublisher(
        settings.mqtt,
        who,
        outbox,
        max_command_bytes=MAX_PAYLOAD_BYTES if settings.commands.allowed else 0,
        routes=births(settings.home_assistant, settings.outbox.file.parent),
    )
    former = FormerIdentities(
        settings.outbox.file.with_name(FILE),
        Identity(settings.mqtt.topic_prefix, settings.device.id),
        publisher.mailbox,
    )
    notifier = Notifier.from_environment()
    versions, detector = _versions(), _detector(settings.detector)
    software = SoftwareNotice.of_this_program()
    folder = settings.outbox.file.parent
    clerk = open_clerk(settings, outbox, publisher.wake, who)
    device = Device(
        settings,
        who,
        versions,
        outbox,
        publisher,
        notifier,
        photographers_of(posts),
        former,
        StatusFile.from_environment(),
        software,
        detector,
        in_use=in_use,
        certificates=certificates(settings),
        cameras=zones_of(settings),
        note=note_nothing if clerk is None else clerk.note,
    )
    return Parts(
        settings,
        bundle,
        posts,
        who,
        versions,
        detector,
        software,
        publisher,
        clerk,
        device,
        folder,
    )


def _open_rule(parts: Parts, source: ReportSource) -> RuleKeeper:
    """Return who switches the mask rule, and have commands and the device know of it."""
    policies = [each.judge.policy for each in parts.posts]
    rule = RuleKeeper(source.calendar, source.history, policies)
    parts.device.rule = lambda: rule.state
    if parts.clerk is not None:
        parts.clerk.on_rule = rule.look
        parts.clerk.rule_at = lambda entries, at: MaskRule(source.calendar, entries).at(at)
    return rule


# What follows imports its part only here: what nobody has enabled takes no memory.


def _open_lamps(parts: Parts, station: StationOutlet | None) -> Outlet | None:
    settings = parts.settings.signal
    if not settings.enabled:
        return None
    from edge.daemon.lamp import open_signal

    signal = open_signal(settings, parts.door.lookout.observers, parts.folder, station)
    parts.device.signal = signal
    return at_door(signal, parts.posts)


def _open_metrics(parts: Parts) -> tuple[Outlet | None, Callable[[bool], bytes]]:
    """Return the outlet, and its figures as text."""
    if not parts.settings.metrics.enabled:
        return None, no_metrics
    from edge.daemon.metrics.outlet import open_metrics

    posts = parts.posts
    outlet = open_metrics(
        parts.who,
        parts.versions,
        parts.detector,
        stopwatches_of(posts),
        parts.software,
        lambda: places_of(posts),
    )
    return outlet, outlet.text


def _open_sign(parts: Parts, station: StationOutlet | None) -> list[Outlet]:
    if not parts.settings.sign.enabled:
        return []
    from edge.daemon.sign import open_sign

    signs = open_sign(parts.settings, station, parts.door.lookout.observers, parts.folder)
    return [at_door(each, parts.posts) for each in signs]


def _open_sight(parts: Parts, history: Recorder | Retention) -> Outlet | None:
    if not parts.settings.sight.enabled:
        return None
    from edge.daemon.sight import open_sight

    record = history.record if isinstance(history, Recorder) else None
    observers = {each.name: each.lookout.observers for each in parts.posts}
    sight = open_sight(parts.settings, parts.bundle, observers, parts.folder, record)
    parts.device.sights = sight.states
    return sight


def _open_labels(parts: Parts) -> LabelDesk | None:
    networks = NetworkPair(parts.bundle.card.model_sha256, parts.detector.sha256)
    observers = {each.name: each.lookout.observers for each in parts.posts}
    return open_labels(parts.settings, networks, observers)


def _open_history(parts: Parts, page: PageListener | None) -> Recorder | Retention:
    model, detector = parts.who.model, parts.detector
    about = RunAbout(
        program=parts.versions.program,
        release=parts.versions.release or "",
        model=f"{model.name} {model.version} {model.sha256[:16]}",
        detector=f"{detector.name} {detector.version or ''} {detector.sha256[:16]}",
        settings=settings_digest(parts.settings),
    )
    history = open_history(
        parts.settings,
        about,
        None if page is None else page.window.history,
    )
    parts.device.history = lambda: history.state
    return history


def _versions() -> Versions:
    return Versions(
        program=version(),
        runtime=runtime_version(),
        python=platform.python_version(),
        opencv=cv2.__version__,
        release=running_release(),
    )


def _detector(chosen: DetectorSettings) -> DetectorIdentity:
    found = identify(chosen.name, chosen.model)
    return DetectorIdentity(name=found.name, version=found.version or None, sha256=found.sha256)
