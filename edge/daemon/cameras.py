"""The cameras of the settings, built: each with a pipeline, an area and a photographer of its own.

A tracker, evidence and signs of life belong to one scene, and neither OpenCV's networks nor the
TFLite interpreter may be used by two threads at once. So several cameras share the weights' files
and the processor's cores, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from edge.capture.camera import Camera, frames_of, patience_with
from edge.classify.card import Bundle
from edge.clock import SYSTEM_CLOCK
from edge.config import CameraSettings, Settings
from edge.daemon.budget import Budget
from edge.daemon.lookout import Glance, Lookout
from edge.daemon.outlets import Outlet
from edge.daemon.watch import CameraWatch, ParallelWatch, SingleWatch
from edge.decide.identity import EventIds
from edge.host.health import Stopwatch
from edge.page.drawn import AreaBook, area_folder
from edge.page.drawn_zones import ZoneBook
from edge.pipeline import STEPS, Pipeline, open_pipeline
from edge.privacy.picture import Photographer, open_photographer
from edge.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Post:
    """One camera, and what belongs to its scene."""

    lookout: Lookout
    book: AreaBook
    zones: ZoneBook
    photographer: Photographer | None
    """None: no picture leaves the device."""
    judge: Pipeline

    @property
    def name(self) -> str:
        return self.lookout.name


def open_posts(settings: Settings, bundle: Bundle, cores: float) -> tuple[Post, ...]:
    """Build what each camera needs, in the order of the settings. `cores` are shared evenly.

    Raises ConfigError, ModelError.
    """
    cameras = settings.each_camera
    return tuple(_open_post(settings, each, bundle, cores / len(cameras)) for each in cameras)


def watch_of(posts: tuple[Post, ...]) -> CameraWatch:
    """Return the watch over them; one camera needs no thread of its own."""
    if len(posts) == 1:
        return SingleWatch(posts[0].lookout)
    return ParallelWatch([each.lookout for each in posts])


def photographers_of(posts: tuple[Post, ...]) -> Mapping[str, Photographer]:
    """Return them by camera."""
    return {each.name: each.photographer for each in posts if each.photographer is not None}


def zones_of(settings: Settings) -> Mapping[str, str]:
    """Return what each camera watches; empty: what the device does."""
    return {each.name: each.zone for each in settings.each_camera}


def stopwatches_of(posts: tuple[Post, ...]) -> Mapping[str, Stopwatch]:
    """Return them by camera."""
    return {each.name: each.lookout.stopwatch for each in posts}


def places_of(posts: tuple[Post, ...]) -> Sequence[str]:
    """Return the zones by which people are counted, of all cameras."""
    return tuple(dict.fromkeys(place for each in posts for place in each.lookout.places))


def at_door(outlet: Outlet, posts: tuple[Post, ...]) -> Outlet:
    """Return an outlet that follows one scene: of several cameras, that of the first."""
    return outlet if len(posts) == 1 else OfCamera(outlet, posts[0].name)


def _open_post(settings: Settings, camera: CameraSettings, bundle: Bundle, cores: float) -> Post:
    own = settings.of(camera)
    if settings.cameras:
        own = _within(own, cores)
    stopwatch = _stopwatch(own) if settings.cameras else Stopwatch(STEPS)
    judge = open_pipeline(own, bundle, EventIds(), stopwatch, datetime.astimezone)
    folder = area_folder(settings, camera)
    book, zones = AreaBook(own.detector, folder), ZoneBook(own.zone, folder)
    lookout = Lookout(
        Camera(lambda: frames_of(own.camera), patience_with(own.camera), name=camera.name),
        judge,
        stopwatch,
        Budget(own, cores, SYSTEM_CLOCK.monotonic_s()),
        name=camera.name,
        zone=own.device.zone,
        new_area=book.take,
        new_zones=zones.take,
    )
    return Post(lookout, book, zones, open_photographer(own, judge.tracker), judge)


def _within(settings: Settings, cores: float) -> Settings:
    """Return the settings of a camera that has so many cores: more threads would only wait."""
    most = max(1, int(cores))
    detector, classifier = settings.detector, settings.classifier
    return msgspec.structs.replace(
        settings,
        detector=msgspec.structs.replace(detector, threads=min(detector.threads, most)),
        classifier=msgspec.structs.replace(classifier, threads=min(classifier.threads, most)),
    )


def _stopwatch(settings: Settings) -> Stopwatch:
    """Return one that charges a camera for no other one's work: the time of the thread that judges
    is measured, and those that compute for it are taken to be busy as long."""
    threads = settings.detector.threads
    return Stopwatch(STEPS, cpu_s=lambda: threads * time.thread_time())


class OfCamera:
    """Shows an outlet that follows one scene nothing but that of one of several cameras."""

    def __init__(self, outlet: Outlet, camera: str) -> None:
        self._outlet = outlet
        self._camera = camera
        self._of_all: Telemetry | None = None
        self._of_ours: Telemetry | None = None

    def start(self) -> None:
        self._outlet.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        if self._of_ours is None or telemetry is not self._of_all:  # it is renewed once a second
            self._of_all, self._of_ours = telemetry, telemetry.of(self._camera)
        is_ours = glance.camera == self._camera
        # Also called where there is nothing for it: the loop goes round, which it may have to say.
        self._outlet.take(glance if is_ours else Glance(), self._of_ours)

    def close(self) -> None:
        self._outlet.close()
