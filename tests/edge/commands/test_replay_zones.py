"""Zones on the same picture, with people who are drawn and walk through it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.cli import main
from edge.people import PEOPLE, Figure, frames
from edge.records import Pixels
from tests.edge.capture.fakes import write_clip

FPS = 10
BARE = PEOPLE[2]
"""The picture is 1280 px wide."""
Walk = Callable[[float], float]
LEFT = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
RIGHT = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]


def zone(name: str, polygon: Sequence[Sequence[float]], policy: str, **keys: object) -> str:
    lines = {"name": name, "polygon": polygon, "policy": policy, **keys}
    # TOML takes what JSON has for texts, numbers and lists.
    return "\n".join(["[[zone]]", *(f"{key} = {json.dumps(lines[key])}" for key in lines)])


def stands(x: float) -> Walk:
    """Somebody who sways, as people do: who does not move is a picture."""
    return lambda at_s: x + 9 * math.sin(3 * at_s)


def clip(folder: Path, duration_s: float, *walkers: tuple[Figure, Walk]) -> Path:
    """Write a clip of people; each is at so many pixels from the left at a time."""
    pictures: list[Pixels] = []
    for number in range(round(duration_s * FPS)):
        at_s = number / FPS
        people = [replace(who, x=x(at_s)) for who, x in walkers]
        pictures += frames(1, FPS, people)
    return write_clip(folder / "walk.avi", pictures, FPS)


def replayed(
    source: Path, folder: Path, capsys: pytest.CaptureFixture[str], *zones: str
) -> tuple[list[dict[str, Any]], str]:
    """Return the messages with the summary, and what is printed for people."""
    settings = folder / "tensormask.toml"
    settings.write_text("\n".join(['[mqtt]\nhost = "h"', *zones, ""]))
    assert main(["replay", str(source), "--config", str(settings), "--json"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["replay", str(source), "--config", str(settings)]) == 0
    return documents, capsys.readouterr().out


def test_of_two_people_only_who_is_where_a_mask_is_required_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stay = clip(tmp_path, 4, (BARE, stands(320)), (BARE, stands(960)))
    zones = (zone("Hall", LEFT, "count"), zone("Gate", RIGHT, "violation"))
    documents, said = replayed(stay, tmp_path, capsys, *zones)
    assert [(each["state"], each.get("place")) for each in documents[:-1]] == [
        ("confirmed", "Gate"),
        ("ended", "Gate"),
    ]
    people = sorted((each["zone"], each["verdict"]) for each in documents[-1]["people"])
    assert people == [("Gate", "bare"), ("Hall", "bare")]
    assert "no mask in Gate, for 1." in said
    assert "no mask in Hall; face at most" in said


def test_a_walker_is_one_person_and_counted_where_he_was_longest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two thirds of the way in the left half.
    walk = clip(tmp_path, 6, (BARE, lambda at_s: 200 + 110 * at_s))
    reports = (zone("Hall", LEFT, "count"), zone("Gate", RIGHT, "violation", confirm_s=0.8))
    documents, _ = replayed(walk, tmp_path, capsys, *reports)
    assert [each["place"] for each in documents[:-1]] == ["Gate", "Gate"]
    # He came in after four seconds.
    assert documents[0]["started_at"] >= "1970-01-01T00:00:03.900Z"
    assert [each["zone"] for each in documents[-1]["people"]] == ["Hall"]
    ignored = (zone("Hall", LEFT, "ignore"), zone("Gate", RIGHT, "count"))
    documents, _ = replayed(walk, tmp_path, capsys, *ignored)
    assert [each["zone"] for each in documents[-1]["people"]] == ["Gate"]
    assert documents[-1]["violations"] == 0


def test_hours_of_a_zone_always_hold_in_a_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stay = clip(tmp_path, 3, (BARE, stands(640)))
    whole = zone("All", [[0, 0], [1, 0], [1, 1], [0, 1]], "violation", hours=["03:00-03:01"])
    documents, _ = replayed(stay, tmp_path, capsys, whole)
    assert documents[-1]["violations"] == 1
