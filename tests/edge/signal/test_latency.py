"""From an unmasked face in the picture to the red lamp: the whole road, on drawn people."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge.capture.camera import Camera, frames_of, patience_with
from edge.classify.card import load_bundle
from edge.config import CameraSettings, MqttSettings, PolicySettings, Settings
from edge.daemon.budget import Budget
from edge.daemon.lamp import SignalOutlet
from edge.daemon.lookout import Lookout
from edge.decide.identity import EventIds
from edge.host.health import Stopwatch as Meter
from edge.host.health import usable_cores
from edge.people import PEOPLE, frames
from edge.pipeline import STEPS, open_pipeline
from tests.edge.capture.fakes import write_clip
from tests.edge.samples import TELEMETRY
from tests.edge.signal.door import Door

FPS = 10
EMPTY = 2 * FPS
"""Frames before somebody comes."""
PROMISE_S = 2.0
BUSY_S = 1.0
"""More on a machine that runs other tests."""


@pytest.mark.parametrize("who", ["bare", "masked"])
def test_the_lamp_is_on_within_two_seconds_of_the_face(tmp_path: Path, who: str) -> None:
    """Somebody walks in: a face that never moves is a poster, as far as is known."""
    person = PEOPLE[2] if who == "bare" else PEOPLE[1]
    walk = (replace(person, x=person.x + max(0.0, 440 - 220 * n / FPS)) for n in range(4 * FPS))
    pictures = [*frames(EMPTY, FPS, ()), *(next(frames(1, FPS, (each,))) for each in walk)]
    clip = write_clip(tmp_path / "door.avi", pictures, FPS)
    settings = Settings(
        mqtt=MqttSettings(host="h"),
        camera=CameraSettings(source=str(clip)),
        policy=PolicySettings(confirm_s=1.0),
    )
    door = Door(tmp_path)
    meter = Meter(STEPS)
    lookout = Lookout(
        Camera(lambda: frames_of(settings.camera), patience_with(settings.camera)),
        open_pipeline(settings, load_bundle(""), EventIds(), meter),
        meter,
        Budget(settings, usable_cores(), time.monotonic()),
    )
    outlet = SignalOutlet(door.signal, door.socket, lookout.observers)
    appeared: list[float] = []
    lamp = "red" if who == "bare" else "green"
    with door.process():
        outlet.start()
        while not lookout.ended:
            glance = lookout.look(0.5)
            if glance.frame is not None and glance.frame.number >= EMPTY:
                appeared.append(glance.frame.monotonic_s)
            outlet.take(glance, TELEMETRY)
        outlet.close()
        lookout.close(1.0)
    lit_s = next(
        (each.at_s for each in door.pins.written() if each.name == lamp and each.is_on), None
    )
    assert lit_s is not None
    print(f"{lamp} {lit_s - appeared[0]:.2f} s after the face")  # noqa: T201 - for the record
    assert 0 < lit_s - appeared[0] < PROMISE_S + BUSY_S
