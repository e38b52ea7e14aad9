from __future__ import annotations

from typing import Any

import pytest

from edge.config import parse_settings
from edge.errors import ConfigError

TABLES: dict[str, Any] = {"mqtt": {"host": "h"}, "station": {"enabled": True}}
RED = {"enabled": True, "red_pin": 27}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"enabled": True}, "enabled: neither a pin nor a sound is set; set red_pin, say"),
        (RED | {"green_pin": 27}, "red_pin: GPIO 27 is green_pin already"),
        (RED | {"button_pin": 27}, "button_pin: GPIO 27 is red_pin already"),
        ({"red_pin": 28}, r"red_pin: must be at most 27"),
        ({"red_pin": -1}, r"red_pin: must be at least 0"),
        ({"red_pin": "GPIO27"}, "red_pin: must be a whole number, not text in quotes"),
        ({"red_pin": 1}, "red_pin: GPIO 1 is for add-on boards; choose one of 4 to 27"),
        ({"red_pin": 2}, "red_pin: GPIO 2 has a resistor to 3.3 V"),
        ({"relay_pin": 4}, "relay_pin: GPIO 4 is pulled up while no program runs.* one of 9 to 27"),
        (
            {"relay_pin": 10, "active_low": ["relay"]},
            "relay_pin: GPIO 10 is pulled down while no program runs.* choose one of 4 to 8",
        ),
        ({"active_low": ["lamp"]}, "'lamp' is not one of its values; known are buzzer, green, red"),
        ({"sound": "bell.wav"}, 'sound: "tone", or the whole path of a file .wav'),
        ({"sound": "/home/me/bell.wav"}, "sound: the program does not see /home"),
        ({"sound_device": "a b"}, "sound_device"),
        ({"quiet": ["night"]}, "quiet: 'night' is no span of hours"),
        ({"safe_after_s": 9}, "safe_after_s: must be at most 5"),
        ({"safe_after_s": 0.1}, "safe_after_s: must be at least 1"),
    ],
)
def test_a_wiring_that_cannot_be_meant_is_refused_in_one_line(
    keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_settings(TABLES | {"signal": keys}, "file.toml")
    assert "[signal]" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_relay_needs_a_station() -> None:
    tables: dict[str, Any] = {"mqtt": {"host": "h"}, "signal": RED | {"relay_pin": 10}}
    with pytest.raises(ConfigError, match=r"relay_pin: .*; set \[station\] enabled = true"):
        parse_settings(tables, "file.toml")
    parse_settings(tables | {"station": {"enabled": True}}, "file.toml")


@pytest.mark.parametrize(
    "keys",
    [
        RED,
        RED | {"relay_pin": 9, "button_pin": 3},
        RED | {"relay_pin": 8, "active_low": ["relay"]},
        {"enabled": True, "sound": "tone"},
        {"enabled": True, "sound": "/srv/bell.WAV", "sound_device": "plughw:CARD=Device,DEV=0"},
        {"quiet": ["22:00-06:00", "Sat Sun 00:00-24:00"]},
    ],
)
def test_what_can_be_wired_is_taken(keys: dict[str, Any]) -> None:
    parse_settings(TABLES | {"signal": keys}, "file.toml")
