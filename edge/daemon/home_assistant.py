"""The device in Home Assistant: announced, announced again, with states of its own, and removed."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from edge.clock import SYSTEM_CLOCK, Clock, clock_synchronised
from edge.config import HomeAssistantSettings, PageSettings, Settings
from edge.daemon.announced import FILE, Announced, announced_in
from edge.daemon.lookout import Glance
from edge.daemon.outlets import Outlet
from edge.installed import running_release
from edge.privacy.picture import Photographer
from edge.publish.discovery import Subject, announcement, birth_topic, config_topic
from edge.publish.discovery.entities import PRESENCE_EVERY_S
from edge.publish.mailbox import Mailbox, Retained, Route
from edge.publish.messages import (
    PRESENCE,
    SNAPSHOT,
    CameraPresence,
    CommandName,
    Origin,
    encode,
    presence_message,
)
from edge.records import Violation, ViolationKind, ViolationState
from edge.telemetry import Telemetry
from edge.version import version

_log = logging.getLogger(__name__)

MAX_BIRTH_BYTES = 16
DELAY_S = (1.0, 10.0)
"""How long after Home Assistant's birth it is announced again: by chance, or all devices would do
it at once."""
TEND_EVERY_S = 1.0


class RetainedSender(Protocol):
    """The way to the broker: `MqttPublisher`."""

    @property
    def connected(self) -> bool: ...
    @property
    def mailbox(self) -> Mailbox: ...
    def publish_retained(self, retained: Retained) -> None: ...
    def wake(self) -> None: ...


def births(settings: HomeAssistantSettings, folder: Path) -> tuple[Route, ...]:
    """Return the route of what Home Assistant says of itself.

    None where it is not wanted, and nothing is remembered in `folder` that it has to be rid of.
    """
    if not settings.enabled and not announced_in(folder / FILE):
        return ()
    return (_route(settings),)


def _route(settings: HomeAssistantSettings) -> Route:
    return Route(birth_topic(settings.discovery_prefix), MAX_BIRTH_BYTES)


class BirthBell:
    """Tells, some time after it, that Home Assistant has started, or is back at the broker."""

    def __init__(
        self,
        mailbox: Mailbox,
        settings: HomeAssistantSettings,
        delay_s: Callable[[], float] = lambda: random.uniform(*DELAY_S),
    ) -> None:
        self._mailbox = mailbox
        self._route = _route(settings)
        self._delay_s = delay_s
        self._due_s = math.inf

    def has_rung(self, now_s: float) -> bool:
        """Take note of births; return whether the time after one is over, once for each."""
        for message in self._mailbox.take(self._route):
            if message.payload == b"online" and self._due_s == math.inf:
                self._due_s = now_s + self._delay_s()
        if now_s < self._due_s:
            return False
        self._due_s = math.inf
        return True


def subject_of(settings: Settings) -> Subject:
    """Return how the device is announced under these settings."""
    device = settings.device
    release = running_release()
    return Subject(
        topic_prefix=settings.mqtt.topic_prefix,
        device_id=device.id,
        version=release or version(),
        area=device.zone.strip() or device.site.strip(),
        page_url=_page_url(settings.page),
        commands=frozenset(CommandName(name) for name in settings.commands.allowed),
        # Not with "faces": more people see a dashboard than may get such a picture.
        has_pictures=settings.snapshots.pictures == "pixelated",
        has_releases=release is not None,
        health_every_s=settings.health.interval_s,
        cameras=tuple(each.name for each in settings.cameras),
    )


def topics_of(settings: Settings) -> list[str]:
    """Return the topics that the broker keeps for Home Assistant, where it is wanted."""
    if not settings.home_assistant.enabled:
        return []
    subject = subject_of(settings)
    return [
        config_topic(settings.home_assistant.discovery_prefix, subject),
        subject.topic(PRESENCE),
    ]


def open_home_assistant(
    settings: Settings,
    sender: RetainedSender,
    origin: Origin,
    photographers: Mapping[str, Photographer],
    folder: Path,
) -> Outlet | None:
    """Return what looks after Home Assistant, or removes the device there; None: neither.

    What was announced is remembered in `folder`.
    """
    wanted = topics_of(settings)
    cameras = tuple(each.name for each in settings.cameras)
    announced = Announced(folder / FILE, wanted, sender.mailbox, cameras)
    bell = BirthBell(sender.mailbox, settings.home_assistant)
    if not wanted:
        return None if announced.is_empty else Farewell(sender, announced, bell)
    subject = replace(subject_of(settings), former_cameras=announced.former_cameras)
    prefix = settings.home_assistant.discovery_prefix
    found = HomeAssistant(subject, prefix, sender, origin, announced, bell)
    if subject.has_pictures:
        for photographer in photographers.values():
            photographer.also_to = found.show
    return found


class Farewell:
    """The device is no longer wanted in Home Assistant: its announcement is cleared.

    That is said again when Home Assistant is back at the broker: what is cleared while it is away,
    it never learns.
    """

    def __init__(
        self,
        sender: RetainedSender,
        announced: Announced,
        bell: BirthBell,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._sender = sender
        self._announced = announced
        self._bell = bell
        self._clock = clock
        self._due_s = -math.inf

    def start(self) -> None:
        """The mailbox has all of it."""

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return
        self._due_s = now_s + TEND_EVERY_S
        self._announced.tend()
        if self._bell.has_rung(now_s):
            self._announced.clear()
            self._sender.wake()

    def close(self) -> None:
        self._announced.tend()


class HomeAssistant:
    """Announces the device, and says who is there without a mask. Works in the loop's thread: it
    only leaves things in the mailbox."""

    def __init__(
        self,
        subject: Subject,
        discovery_prefix: str,
        sender: RetainedSender,
        origin: Origin,
        announced: Announced,
        bell: BirthBell,
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
    ) -> None:
        self._subject = subject
        self._sender = sender
        self._origin = origin
        self._announced = announced
        self._bell = bell
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._config = Retained(config_topic(discovery_prefix, subject), announcement(subject))
        self._there: dict[str, tuple[str, ViolationKind]] = {}
        """Whose violation is going on, by event: at which camera, and which kind."""
        self._tend_due_s = self._presence_due_s = -math.inf

    def start(self) -> None:
        """Announce the device. Nobody is there: what the last run has begun is over."""
        self._sender.publish_retained(self._config)
        self._tell_presence()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Say who has come or gone, and answer a birth."""
        for violation in glance.decision.violations:
            self._note(violation, glance.camera)
        now_s = self._clock.monotonic_s()
        if glance.decision.violations or now_s >= self._presence_due_s:
            self._tell_presence()
        if now_s >= self._tend_due_s:
            self._tend_due_s = now_s + TEND_EVERY_S
            self._announced.tend()
            if self._bell.has_rung(now_s):
                self._announce_again()

    def close(self) -> None:
        """The device stays announced: it says itself that it is stopped."""
        self._announced.tend()

    def show(self, picture: bytes) -> None:
        """Publish a picture once, not retained: no broker is to keep it.

        One that cannot go now is not sent: it would show as new who left long ago.
        """
        if self._sender.connected:
            self._sender.mailbox.post(self._subject.topic(SNAPSHOT), picture)
            self._sender.wake()

    def _note(self, violation: Violation, camera: str) -> None:
        if violation.state is ViolationState.CONFIRMED:
            self._there[violation.event_id] = (camera, violation.kind)
        else:
            self._there.pop(violation.event_id, None)

    def _tell_presence(self) -> None:
        self._presence_due_s = self._clock.monotonic_s() + PRESENCE_EVERY_S
        kinds = [kind for _, kind in self._there.values()]
        cameras = {name: self._presence_at(name) for name in self._subject.cameras}
        message = presence_message(
            self._origin,
            kinds.count(ViolationKind.BARE),
            kinds.count(ViolationKind.WORN_WRONGLY),
            self._clock.utc(),
            self._clock_is_right(),
            cameras or None,
        )
        self._sender.publish_retained(Retained(self._subject.topic(PRESENCE), encode(message)))

    def _presence_at(self, camera: str) -> CameraPresence:
        kinds = [kind for name, kind in self._there.values() if name == camera]
        return CameraPresence(
            bare=kinds.count(ViolationKind.BARE),
            worn_wrongly=kinds.count(ViolationKind.WORN_WRONGLY),
        )

    def _announce_again(self) -> None:
        """Have all sent again: where the broker keeps nothing, or has lost it, Home Assistant knows
        of nobody when it starts."""
        _log.debug("announced to Home Assistant again, which has started")
        self._sender.mailbox.renew()
        self._announced.clear()
        self._sender.wake()


def _page_url(page: PageSettings) -> str:
    """Return where a browser on another machine reaches the page; empty: that is not known."""
    if not page.enabled or page.external_url:
        return page.external_url if page.enabled else ""
    address = ip_address(page.address)
    return "" if address.is_loopback or address.is_unspecified else page.url
