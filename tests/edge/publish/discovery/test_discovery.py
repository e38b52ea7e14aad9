from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from jsonschema import Draft202012Validator, ValidationError

from edge.config import CommandSettings, Settings, parse_settings
from edge.control.commands import Command, Gate
from edge.daemon.home_assistant import subject_of
from edge.errors import ConfigError
from edge.history.requests import Acknowledge, SetRule
from edge.publish.discovery import Subject, announcement, birth_topic, config_topic
from edge.publish.discovery.entities import PLATFORMS, RECENT
from edge.publish.messages import CommandName
from tests.edge.publish.discovery.accepted import DEVICE_DISCOVERY
from tests.edge.publish.test_messages import documented_examples

VALIDATOR = Draft202012Validator(DEVICE_DISCOVERY)
DOOR = Subject("tensormask", "door-1", "0.3.0")
FULL = Subject(
    "tensormask",
    "door-1",
    "0.3.0-9e50a579",
    area="north entrance",
    page_url="https://museum.example/door-1/",
    commands=frozenset(CommandName),
    has_pictures=True,
    has_releases=True,
)
LEVEL = st.text("abcXYZ019_.-", min_size=1, max_size=64)
PLACE = st.text(max_size=40).filter(str.isprintable)
SETTINGS = st.fixed_dictionaries(
    {
        "mqtt": st.fixed_dictionaries({"host": st.just("b"), "topic_prefix": LEVEL}),
        "device": st.fixed_dictionaries({"id": LEVEL, "site": PLACE, "zone": PLACE}),
        "commands": st.fixed_dictionaries(
            {"allowed": st.lists(st.sampled_from([name.value for name in CommandName]))}
        ),
        "snapshots": st.sampled_from(
            [
                {},
                {"pictures": "pixelated"},
                {"pictures": "faces", "may_publish_faces": True},
            ]
        ),
        "page": st.sampled_from(
            [
                {},
                {"enabled": True},
                {"enabled": True, "address": "0.0.0.0", "password_file": "/p"},
                {"enabled": True, "address": "192.0.2.7", "password_file": "/p"},
                {"enabled": True, "address": "2001:db8::7", "password_file": "/p"},
                {"enabled": True, "external_url": "https://museum.example/door-1/"},
                {"external_url": "https://museum.example/door-1/"},
            ]
        ),
        "health": st.fixed_dictionaries({"interval_s": st.floats(1, 86_400)}),
    }
)


def announced(subject: Subject) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(announcement(subject))
    return document


def present(subject: Subject) -> dict[str, dict[str, Any]]:
    """Return the entities that are there, without what takes others away."""
    components: dict[str, dict[str, Any]] = announced(subject)["components"]
    return {name: each for name, each in components.items() if len(each) > 1}


@given(SETTINGS)
def test_home_assistant_takes_what_any_settings_announce(tables: dict[str, Any]) -> None:
    settings = parse_settings(tables, "file.toml")
    subject = subject_of(settings)
    document = announced(subject)
    VALIDATOR.validate(document)
    components = document["components"]
    assert set(components) == set(PLATFORMS), "each is announced, or taken away"
    shown = [each for each in components.values() if len(each) > 1]
    for key in ("unique_id", "default_entity_id"):
        assert len({each[key] for each in shown}) == len(shown)
    topic = config_topic("homeassistant", subject)
    # What Home Assistant's own expression for a discovery topic takes.
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
    obeyed = set(settings.commands.allowed)
    for name, command in (("pause", "pause"), ("restart", "restart")):
        assert (len(components[name]) > 1) == (command in obeyed)
    has_pictures = settings.snapshots.pictures == "pixelated"
    assert (len(components["snapshot"]) > 1) == has_pictures
    assert (len(components["take_snapshot"]) > 1) == (has_pictures and "snapshot" in obeyed)


@given(LEVEL, LEVEL, LEVEL, LEVEL)
def test_no_two_devices_share_a_topic_or_an_id(
    prefix: str, device_id: str, other_prefix: str, other_id: str
) -> None:
    one, other = Subject(prefix, device_id, "1"), Subject(other_prefix, other_id, "1")
    is_same = (prefix, device_id) == (other_prefix, other_id)
    assert (config_topic("h", one) == config_topic("h", other)) == is_same
    assert (one.key == other.key) == is_same


def broken(change: str) -> dict[str, Any]:
    """Return a payload that Home Assistant refuses, or an entity that it does."""
    document = announced(FULL)
    components = document["components"]
    match change:
        case "no origin":
            del document["origin"]
        case "no identifiers":
            document["device"]["identifiers"] = []
        case "no unique id":
            del components["rate"]["unique_id"]
        case "two underscores":
            components["rate"]["default_entity_id"] = "sensor.door__1"
        case "another domain":
            components["rate"]["default_entity_id"] = "event.door_1"
        case "a unit of another class":
            components["temperature"]["unit_of_measurement"] = "%"
        case "options and a state class":
            components["status"]["state_class"] = "measurement"
        case "no event types":
            del components["violation"]["event_types"]
        case "a sensor to configure":
            components["problem"]["entity_category"] = "config"
        case "a mistyped key":
            components["rate"]["value_templat"] = components["rate"].pop("value_template")
        case "an object id":
            components["rate"]["object_id"] = "rate"
        case "no address":
            document["device"]["configuration_url"] = "museum.example"
        case "no text":
            document["device"]["suggested_area"] = ""
        case "half a second":
            components["fps"]["expire_after"] = 1.5
        case "an unknown platform":
            components["rate"] = {"platform": "gauge"}
        case "a retained command":
            components["restart"]["retain"] = True
    return document


@pytest.mark.parametrize(
    "change",
    [
        *("no origin", "no identifiers", "no unique id", "two underscores", "another domain"),
        *("a unit of another class", "options and a state class", "no event types"),
        *("a sensor to configure", "a mistyped key", "an object id", "no address", "no text"),
        *("half a second", "an unknown platform", "a retained command"),
    ],
)
def test_a_payload_that_home_assistant_would_refuse_fails_here(change: str) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate(broken(change))


def test_a_device_has_an_id_a_name_an_area_and_an_address() -> None:
    assert announced(FULL)["device"] == {
        "identifiers": ["tensormask/door-1"],
        "name": "TensorMask door-1",
        "manufacturer": "TensorMask",
        "model": "Mask detector",
        "serial_number": "door-1",
        "sw_version": "0.3.0-9e50a579",
        "suggested_area": "north entrance",
        "configuration_url": "https://museum.example/door-1/",
    }
    assert config_topic("homeassistant", FULL) == "homeassistant/device/tensormask/door-1/config"
    assert birth_topic("homeassistant") == "homeassistant/status"


@pytest.mark.parametrize(
    ("device_id", "name", "entity"),
    [
        ("door-1", "TensorMask door-1", "sensor.tensormask_door_1_rate"),
        ("tensormask", "tensormask", "sensor.tensormask_rate"),
        ("Door..1-", "TensorMask Door..1-", "sensor.tensormask_door_1_rate"),
        ("---", "TensorMask ---", "sensor.tensormask_rate"),
    ],
)
def test_an_entity_id_is_made_of_the_devices(device_id: str, name: str, entity: str) -> None:
    subject = Subject("tensormask", device_id, "1")
    assert subject.name == name
    assert present(subject)["rate"]["default_entity_id"] == entity


def test_without_commands_pictures_and_releases_there_are_sensors_only() -> None:
    assert {PLATFORMS[name] for name in present(DOOR)} == {"event", "sensor", "binary_sensor"}
    assert set(present(FULL)) == set(PLATFORMS)


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ({}, ""),
        ({"enabled": True}, ""),
        ({"enabled": True, "address": "0.0.0.0", "password_file": "/p"}, ""),
        ({"enabled": True, "address": "192.0.2.7", "password_file": "/p"}, "http://192.0.2.7:8080"),
        ({"enabled": True, "external_url": "https://m.example/"}, "https://m.example/"),
        ({"external_url": "https://m.example/"}, ""),
    ],
)
def test_the_page_is_named_where_another_machine_can_open_it(
    page: dict[str, Any], url: str
) -> None:
    settings = parse_settings({"mqtt": {"host": "b"}, "page": page}, "file.toml")
    assert subject_of(settings).page_url == url


@pytest.mark.parametrize("prefix", ["", "/x", "x/", "a//b", "a+b", "a/#", "a b"])
def test_a_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"\[home_assistant\] discovery_prefix"):
        parse_settings(
            {"mqtt": {"host": "b"}, "home_assistant": {"discovery_prefix": prefix}}, "file.toml"
        )


@pytest.mark.parametrize("name", ["pause", "restart", "take_snapshot", "acknowledge", "rule"])
def test_what_home_assistant_sends_is_a_command_that_is_obeyed(name: str) -> None:
    tables = {"mqtt": {"host": "b"}, "commands": {"allowed": [each.value for each in CommandName]}}
    gate = Gate(parse_settings(tables, "file.toml").commands)
    entity = present(FULL)[name]
    command = entity["command_topic"].rpartition("/")[2]
    for key in ("payload_on", "payload_off", "payload_press"):
        if key in entity:
            answer = gate.admit(command, entity[key].encode(), False, 0.0)
            assert isinstance(answer, Command), answer
            if name == "rule":
                assert answer.to_note == SetRule(key == "payload_on", "command home-assistant")
            else:
                assert (answer.duration_s == 0) == (key == "payload_off")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("mask handed out", "mask handed out"),
        (' "quoted",\ntwo lines ', '"quoted", two lines'),
        ("é" * 300, "é" * 200),
    ],
)
def test_a_note_that_home_assistant_sends_is_an_acknowledgement(text: str, note: str) -> None:
    gate = Gate(CommandSettings(allowed=("acknowledge",)))
    template = present(FULL)["acknowledge_note"]["command_template"]
    payload = JINJA.from_string(template).render(value=text)
    answer = gate.admit("acknowledge", payload.encode(), False, 0.0)
    assert isinstance(answer, Command), answer
    assert answer.to_note == Acknowledge(note=note, by="command home-assistant")


# ---- The templates, in the language that Home Assistant has them in.

JINJA = Environment(autoescape=False)
JINJA.filters["to_json"] = json.dumps


def rendered(template: str, payload: dict[str, Any], **attributes: Any) -> str:
    """Render as Home Assistant does, for an entity with these attributes."""
    this = SimpleNamespace(attributes=attributes)
    return JINJA.from_string(template).render(value_json=payload, this=this).strip()


def example(kind: str, number: int = 0) -> dict[str, Any]:
    """Return an example of the reference."""
    found = [json.loads(text) for name, text in documented_examples() if name == kind]
    return dict(found[number])


def shown(name: str, payload: dict[str, Any], **attributes: Any) -> str:
    return rendered(present(FULL)[name]["value_template"], payload, **attributes)


def test_the_states_of_the_references_examples() -> None:
    health, compliance = example("health"), example("compliance")
    assert shown("people", compliance) == "177"
    assert shown("rate", compliance) == "94.7"
    assert shown("fps", health) == "14.9"
    assert shown("temperature", health) == "61.3"
    assert shown("queued", health) == "2"
    assert shown("camera", health) == "ON"
    assert shown("pause", health) == "OFF"
    assert shown("rule", health) == "ON"
    assert shown("status", example("availability")) == "online"
    assert shown("no_mask", example("presence")) == "ON"


def test_the_rate_has_those_of_the_zones_beside_it() -> None:
    template = present(FULL)["rate"]["json_attributes_template"]
    assert json.loads(rendered(template, example("compliance"))) == {"by_place": {"Gate": 96.4}}
    (gate, rest) = example("compliance")["places"]
    ward = {
        **gate,
        "place": 'Ward 3: "west"',
        "last_hour": {**gate["last_hour"], "masked": 0, "bare": 0},
    }
    found = rendered(template, {"places": [gate, ward, rest]})
    assert json.loads(found) == {"by_place": {"Gate": 96.4, 'Ward 3: "west"': None}}
    assert json.loads(rendered(template, {})) == {"by_place": {}}


def test_what_is_not_known_is_unknown_there() -> None:
    compliance = example("compliance")
    compliance["last_hour"]["rate"] = None
    assert shown("rate", compliance) == "None"
    assert shown("temperature", {**example("health"), "temperature_c": None}) == "None"


@pytest.mark.parametrize(
    ("conditions", "state"),
    [([], "OFF"), (None, "OFF"), (["paused", "on-trial"], "OFF"), (["view-dark", "paused"], "ON")],
)
def test_a_fault_is_a_problem_and_a_hint_is_none(conditions: list[str] | None, state: str) -> None:
    assert shown("problem", {**example("health"), "conditions": conditions}) == state


def test_nobody_is_there_when_the_last_has_left() -> None:
    presence = example("presence")
    assert shown("no_mask", {**presence, "bare": 0}) == "OFF"
    assert shown("no_mask", {**presence, "bare": 0, "worn_wrongly": 1}) == "ON"


def test_a_paused_device_shows_it() -> None:
    assert shown("pause", {**example("health"), "paused_for_s": 0.0}) == "ON"


def test_the_mask_rule_is_on_unless_the_device_says_otherwise() -> None:
    for rule, state in ((None, "ON"), ({"on": True}, "ON"), ({"on": False}, "OFF")):
        assert shown("rule", {**example("health"), "mask_rule": rule}) == state


def test_a_confirmed_violation_is_an_event_with_its_type() -> None:
    event = json.loads(shown("violation", example("violation")))
    assert event["event_type"] == "no_mask"
    assert event["confirmed_at"] == "2026-11-23T14:03:21.250Z"
    assert event["place"] == "Gate"
    older = {key: value for key, value in example("violation").items() if key != "place"}
    assert json.loads(shown("violation", older))["place"] == ""
    assert "snapshot" not in event
    wrong = {**example("violation"), "kind": "worn_wrongly"}
    assert json.loads(shown("violation", wrong))["event_type"] == "worn_wrongly"
    later = {**example("violation"), "kind": "of a later release"}
    assert json.loads(shown("violation", later))["event_type"] == "no_mask"


def test_the_end_of_a_violation_is_no_event() -> None:
    assert shown("violation", example("violation", 1)) == ""


def test_a_violation_that_arrives_twice_is_one_event() -> None:
    attributes: dict[str, Any] = {}
    fired = []
    ids = ["a", "b", "a", "b", *(str(number) for number in range(2 * RECENT)), "19"]
    for event_id in ids:
        payload = {**example("violation"), "event_id": event_id}
        if text := shown("violation", payload, **attributes):
            attributes = json.loads(text)
            fired.append(event_id)
    assert fired == list(dict.fromkeys(ids))
    assert len(attributes["recent"]) == RECENT, "it does not grow"


def test_availability_has_two_values_there() -> None:
    (available,) = announced(DOOR)["availability"]
    states = {
        state: rendered(available["value_template"], {"state": state})
        for state in ("online", "stopped", "offline")
    }
    assert states == {"online": "online", "stopped": "offline", "offline": "offline"}
    assert (available["payload_available"], available["payload_not_available"]) == (
        "online",
        "offline",
    )


def settled(**keys: str) -> dict[str, str]:
    return {"slot": "release", "name": "0.3.0", "outcome": "kept", "reason": "well", **keys}


@pytest.mark.parametrize(
    ("trial", "history", "expected"),
    [
        (None, [], ("0.2.9", "0.2.9", False, "")),
        (None, [settled(name="0.2.9")], ("0.2.9", "0.2.9", False, "")),
        (
            {"slot": "release", "name": "0.3.0", "former": "0.2.9"},
            [],
            ("0.2.9", "0.3.0", True, "on trial"),
        ),
        ({"slot": "bundle", "name": "b", "former": "a"}, [], ("0.2.9", "0.2.9", False, "")),
        (
            None,
            [settled(outcome="refused", reason="no frames"), settled(slot="bundle", name="b")],
            ("0.2.9", "0.3.0", False, "no frames"),
        ),
        (
            None,
            [settled(outcome="refused"), settled(name="0.2.9", outcome="rolled_back")],
            ("0.2.9", "0.2.9", False, ""),
        ),
    ],
)
def test_the_release_and_the_newest_that_the_device_knows(
    trial: dict[str, str] | None, history: list[dict[str, str]], expected: tuple[Any, ...]
) -> None:
    current = trial["name"] if trial and trial["slot"] == "release" else "0.2.9"
    payload = {"current": {"release": current}, "trial": trial, "settled": history}
    update = json.loads(shown("release", payload))
    keys = ("installed_version", "latest_version", "in_progress", "release_summary")
    assert tuple(update[key] for key in keys) == expected


def test_settings_have_it_off() -> None:
    settings: Settings = parse_settings({"mqtt": {"host": "b"}}, "file.toml")
    assert not settings.home_assistant.enabled


# ---- Several cameras.

TWO = replace(FULL, cameras=("door", "hall-2"))


def test_each_of_several_cameras_has_its_entities_beside_the_device_s() -> None:
    document = announced(TWO)
    VALIDATOR.validate(document)
    more = set(present(TWO)) - set(present(FULL))
    kinds = ("connected", "no_mask", "rate")
    assert more == {f"camera_{name}_{kind}" for name in TWO.cameras for kind in kinds}
    hall = present(TWO)["camera_hall-2_no_mask"]
    assert hall["default_entity_id"] == "binary_sensor.tensormask_door_1_hall_2_no_mask"
    assert hall["unique_id"] == "tensormask/door-1/camera_hall-2_no_mask"


def test_a_camera_s_entities_show_what_the_messages_say_of_it() -> None:
    of = present(TWO)
    presence = {"cameras": {"hall-2": {"bare": 0, "worn_wrongly": 1}}}
    assert rendered(of["camera_hall-2_no_mask"]["value_template"], presence) == "ON"
    health = {"cameras": {"hall-2": {"state": "lost"}}}
    assert rendered(of["camera_hall-2_connected"]["value_template"], health) == "OFF"
    compliance = {"cameras": {"hall-2": {"last_hour": {"rate": 0.975}}}}
    assert rendered(of["camera_hall-2_rate"]["value_template"], compliance) == "97.5"


def test_what_a_camera_had_that_is_gone_is_taken_away() -> None:
    components = announced(replace(TWO, former_cameras=("yard",)))["components"]
    gone = {name: each for name, each in components.items() if "yard" in name}
    assert len(gone) == 3
    assert all(set(each) == {"platform"} for each in gone.values())
