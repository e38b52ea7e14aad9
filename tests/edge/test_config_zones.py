"""The sections [[zone]]: what is taken, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from edge.config import MOST_ZONES, ZonePolicy, parse_settings
from edge.config.zones import refuse_zones
from edge.errors import ConfigError

LEFT = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
GATE = {"name": "Gate", "polygon": LEFT}


def refusal(*tables: Any, **sections: Any) -> str:
    with pytest.raises(ConfigError) as error:
        parse_settings({"mqtt": {"host": "h"}, "zone": list(tables), **sections}, "f")
    return str(error.value).removeprefix("f: ")


def test_zones_are_taken_in_their_order() -> None:
    tables = [GATE, {**GATE, "name": "Station 3 (ä)", "policy": "count", "confirm_s": 4}]
    gate, ward = parse_settings({"mqtt": {"host": "h"}, "zone": tables}, "f").zone
    assert (gate.name, gate.policy, gate.confirm_s) == ("Gate", ZonePolicy.VIOLATION, None)
    assert (ward.name, ward.policy, ward.confirm_s) == ("Station 3 (ä)", ZonePolicy.COUNT, 4)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"policy": "x"}, ": policy: 'x' is not one of its values; known are violation, count"),
        ({"name": " Gate"}, ": name: 1 to 40 characters are allowed"),
        ({"name": ""}, ": name: 1 to 40 characters are allowed"),
        ({"name": "x" * 41}, ": name: 1 to 40 characters are allowed"),
        ({"name": "a\nb"}, ": name: a line break or another control character"),
        ({"polygon": LEFT[:2]}, ": polygon: must have at least 3 entries"),
        ({"polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "polygon: the outline crosses itself"),
        ({"polygon": [[0, 0], [0.01, 0], [0.01, 0.01]]}, "polygon: too small: nobody can be"),
        ({"polygon": [[0, 0], [1, 1.5], [1, 0]]}, "polygon[1][1]: must be at most 1"),
        ({"hours": ["7-9"]}, ": hours: '7-9' is no span of hours; write"),
        ({"min_face_px": 12}, "(Gate): min_face_px must be at least [classifier] min_face_px, 20"),
        ({"camera": "back"}, ": camera: back is not known; the only one has no"),
        ({"polcy": "count"}, "(Gate): unknown key polcy; did you mean policy?"),
        ({"kind": "x"}, "(Gate): unknown key kind; known are camera, confirm_s"),
    ],
)
def test_what_is_wrong_is_said_with_number_and_name(keys: dict[str, Any], said: str) -> None:
    text = refusal({"name": "First", "polygon": LEFT}, {**GATE, **keys})
    assert text.startswith("[[zone]] number 2")
    assert said in text
    assert text.isprintable()


def test_a_zone_needs_a_name_and_a_polygon() -> None:
    assert refusal({"name": "Gate"}) == "[[zone]] number 1 (Gate): polygon is missing"
    assert refusal({"polygon": LEFT}) == "[[zone]] number 1: name is missing"


def test_names_are_unique_and_zones_few() -> None:
    assert refusal(GATE, {**GATE, "name": "GATE"}) == (
        "[[zone]] number 2 (GATE): another one has this name"
    )
    many = [{**GATE, "name": f"n{number}"} for number in range(MOST_ZONES + 1)]
    assert "at most 20" in refusal(*many)


def test_a_zone_names_one_of_several_cameras() -> None:
    tables = {"mqtt": {"host": "h"}, "zone": [GATE]}
    zones = parse_settings(tables, "f").zone
    with pytest.raises(ValueError, match=r"camera: it names none; known are front, back"):
        refuse_zones(zones, 20, ("front", "back"))


@pytest.mark.parametrize("value", [GATE, "x", [1]])
def test_one_section_in_place_of_a_list_is_said_to_be_one(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"zone is a list of sections: write \[\[zone\]\]"):
        parse_settings({"mqtt": {"host": "h"}, "zone": value}, "f")


def test_what_a_newer_program_has_beyond_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    tables = {"mqtt": {"host": "h"}, "zone": [{**GATE, "novel": 1}]}
    (zone,) = parse_settings(tables, "f", schema=99).zone
    assert zone.name == "Gate"
    assert "ignored: [[zone]] novel" in caplog.text
