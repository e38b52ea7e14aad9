"""The long loop: frames in, violations out, through outages of the camera and the broker."""

from __future__ import annotations

import platform
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2

from edge.classify.card import load_bundle
from edge.classify.runtime import runtime_version
from edge.clock import clock_synchronised, this_moment
from edge.config import DetectorSettings, Settings
from edge.control.commands import MAX_PAYLOAD_BYTES
from edge.control.desk import note_nothing
from edge.daemon.cameras import (
    at_door,
    open_posts,
    photographers_of,
    places_of,
    rule_at,
    stopwatches_of,
    watch_of,
    zones_of,
)
from edge.daemon.certificates import certificates
from edge.daemon.clerk import open_clerk
from edge.daemon.device import Device
from edge.daemon.former import FILE, FormerIdentities, Identity
from edge.daemon.home_assistant import births, open_home_assistant
from edge.daemon.hours import open_hours
from edge.daemon.lookout import Glance
from edge.daemon.notifications import open_notifications
from edge.daemon.outlets import Outlet
from edge.daemon.recorder import Recorder, open_history, settings_digest
from edge.daemon.reports import ReportPublisher
from edge.daemon.rule import RuleKeeper
from edge.daemon.software import SoftwareNotice
from edge.daemon.station import open_station
from edge.daemon.viewer import open_page
from edge.daemon.visits import open_visits
from edge.daemon.watch import CameraWatch
from edge.detect.detectors import identify
from edge.history.records import SEEING, RunAbout
from edge.host.health import usable_cores
from edge.host.status_file import StatusFile, runtime_directory
from edge.host.systemd import Notifier
from edge.host.unfit import refuse_unfit
from edge.installed import running_release
from edge.page.listener import PageListener
from edge.page.reports import ReportMaker
from edge.page.window import no_metrics
from edge.publish.messages import DetectorIdentity, Versions, origin
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from edge.qualify.known import eyes_of
from edge.report.source import ReportSource
from edge.software import InUse
from edge.version import version

CLOSING_S = 0.5
"""For a capture call to return when we stop; one that hangs ends with the process."""


class Service:
    """Watches until it is asked to stop, or until a clip is over."""

    def __init__(
        self,
        watch: CameraWatch,
        device: Device,
        page: PageListener | None = None,
        outlets: Sequence[Outlet] = (),
        lamps: Outlet | None = None,
    ) -> None:
        """`lamps` are as the others, and come before all that takes time: the disk, and a picture,
        which is more than half a second of a Raspberry Pi 4."""
        self.watch = watch
        self._cameras = len(watch.camera_states)
        self.device = device
        self.page = page
        self._outlets = tuple(outlets)
        self._lamps = () if lamps is None else (lamps,)
        self._stop = threading.Event()
        if page is not None:
            device.page = lambda: page.telemetry

    def stop(self) -> None:
        """End soon, orderly. Safe in a signal handler and from any thread."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop`, or until the source is over. Whatever fails, all is closed in order."""
        with ExitStack() as ending:
            ending.callback(self.watch.close, CLOSING_S)
            if self.page is not None:
                ending.callback(self.page.close)
            ending.callback(self.device.close)
            for outlet in (*self._outlets, *self._lamps):  # the lamps are closed first
                ending.callback(outlet.close)
            ending.callback(self._end_visits)
            ending.callback(self.watch.close)  # begins early, so that it need not be waited for
            ending.callback(self.device.stopping)
            self.device.start()
            if self.page is not None:
                self.page.start()
            for outlet in (*self._outlets, *self._lamps):
                outlet.start()
            self.watch.start(self.device)
            while not self._is_over():
                self.run_once()

    def run_once(self) -> None:
        """Take one frame along the road, if there is one; then do everything else."""
        glance = self._take(self.watch.look(self.device))
        self.device.tend(glance, self.watch)
        self._let_out(glance, self._outlets)

    def _is_over(self) -> bool:
        return self._stop.is_set() or self.watch.ended or self.device.restart_wanted

    def _take(self, glance: Glance) -> Glance:
        self._let_out(glance, self._lamps)
        taken = self.device.take(glance)
        if self.page is not None:
            seen_s = glance.turn_s if glance.watch in SEEING else 0.0
            self.page.window.history.note(glance.decision, seen_s / self._cameras)
        return taken

    def _let_out(self, glance: Glance, outlets: Sequence[Outlet]) -> None:
        telemetry = self.device.telemetry
        if telemetry is not None:
            for outlet in outlets:
                outlet.take(glance, telemetry)

    def _end_visits(self) -> None:
        for glance in self.watch.end_visits():
            self._let_out(self._take(glance), self._outlets)
        self.device.report_compliance(self.watch)


def open_service(settings: Settings, in_use: InUse | None = None) -> Service:
    """Build the service of real parts; `in_use` is what it says of its settings.

    Raises ConfigError, ModelError, OutboxError.
    """
    refuse_unfit(settings)
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
    # What is at a door follows the camera that is named first.
    door = posts[0]
    source = ReportSource.of(
        settings, lambda camera: eyes_of(settings, camera), runtime_directory()
    )
    rule = RuleKeeper(source.calendar, source.history, [each.judge.policy for each in posts])
    device.rule = lambda: rule.state
    outlets: list[Outlet] = [
        rule,
        at_door(open_visits(folder, door.lookout.observers), posts),
    ]
    if clerk is not None:
        clerk.on_rule = rule.look
        outlets.append(clerk)
    station = open_station(settings, door.lookout.observers)
    if station is not None:
        outlets.append(at_door(station, posts))
    lamps: Outlet | None = None
    if settings.signal.enabled:
        # Imported only here, as the next ones: what nobody has enabled takes no memory.
        from edge.daemon.lamp import open_signal

        device.signal = signal = open_signal(
            settings.signal, door.lookout.observers, folder, station
        )
        lamps = at_door(signal, posts)
    outlets.append(ReportPublisher(source, who, publisher))
    home = open_home_assistant(settings, publisher, who, photographers_of(posts), folder)
    if home is not None:
        outlets.append(home)
    metrics = no_metrics
    if settings.metrics.enabled:
        # Imported only here: what nobody has enabled takes no memory.
        from edge.daemon.metrics.outlet import open_metrics

        outlet = open_metrics(
            who, versions, detector, stopwatches_of(posts), software, lambda: places_of(posts)
        )
        outlets.append(outlet)
        metrics = outlet.text
    notifications = open_notifications(settings, folder)
    if notifications is not None:
        device.notifiers = notifications.states
        outlets.append(notifications)
    test = None if notifications is None else notifications.test
    reports = None if in_use is None else ReportMaker(Path(in_use.settings), runtime_directory())
    page = open_page(settings, posts, device, folder, metrics, test, clerk, reports)
    if settings.sign.enabled:
        from edge.daemon.sign import open_sign

        signs = open_sign(settings, station, door.lookout.observers, folder)
        outlets += [at_door(each, posts) for each in signs]
    about = RunAbout(
        program=versions.program,
        release=versions.release or "",
        model=f"{who.model.name} {who.model.version} {who.model.sha256[:16]}",
        detector=f"{detector.name} {detector.version or ''} {detector.sha256[:16]}",
        settings=settings_digest(settings),
    )
    history = open_history(
        settings,
        lambda place: rule_at(posts, place.camera),
        about,
        None if page is None else page.window.history,
    )
    device.history = lambda: history.state
    outlets.append(history)
    if settings.history.enabled:
        outlets.append(open_hours(settings, publisher, who))
    if settings.sight.enabled:
        from edge.daemon.sight import open_sight

        record = history.record if isinstance(history, Recorder) else None
        of_door = settings.of(settings.each_camera[0])
        sight = open_sight(of_door, bundle, door.lookout.observers, folder, record, door.name)
        device.sight = lambda: sight.state
        outlets.append(at_door(sight, posts))
    return Service(watch_of(posts), device, page, outlets, lamps)


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
