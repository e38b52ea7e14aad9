"""What docs/mqtt.md gives receivers to copy, run by the template language that they run it with."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from jinja2 import Environment

PAGE = Path(__file__).parents[1] / "docs" / "mqtt.md"


@pytest.fixture(scope="module")
def home_assistant() -> Any:
    block = re.search(r"Home Assistant.*?```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block
    return yaml.safe_load(block[1])


def rendered(template: str, **known: Any) -> Any:
    """Render as Home Assistant does: text without blanks around it, read as a Python literal."""
    return ast.literal_eval(
        Environment(autoescape=False).from_string(template).render(known).strip()
    )


def shown_after(home_assistant: Any, told: list[dict[str, str]]) -> list[bool]:
    """Return what the sensor of violations shows after each message."""
    (sensor,) = home_assistant["template"][0]["binary_sensor"]
    attributes: dict[str, Any] = {}
    states = []
    for payload in told:
        known = {
            "trigger": SimpleNamespace(payload_json=payload),
            "this": SimpleNamespace(attributes=attributes),
        }
        states.append(rendered(sensor["state"], **known))
        attributes = {name: rendered(text, **known) for name, text in sensor["attributes"].items()}
        assert (attributes["open"] != []) is states[-1]
    return states


def test_the_sensor_is_on_until_the_last_person_is_over(home_assistant: Any) -> None:
    told = [
        {"event_id": event_id, "state": state}
        for event_id, state in [
            ("a", "confirmed"),
            ("b", "confirmed"),
            ("b", "confirmed"),  # a repeat
            ("a", "ended"),
            ("b", "ended"),
            ("b", "ended"),
        ]
    ]
    assert shown_after(home_assistant, told) == [True, True, True, True, False, False]


def test_the_sensor_is_off_when_the_device_has_vanished(home_assistant: Any) -> None:
    triggers = [each["topic"] for each in home_assistant["template"][0]["triggers"]]
    assert triggers == ["tensormask/door-1/violation", "tensormask/door-1/availability"]
    confirmed, ended = ({"event_id": "a", "state": each} for each in ("confirmed", "ended"))
    online, offline = {"state": "online"}, {"state": "offline"}
    told = [online, confirmed, online, offline, online, ended, confirmed, offline]
    assert shown_after(home_assistant, told) == [
        False, True, True, False, False, False, True, False
    ]  # fmt: skip


@pytest.mark.parametrize(("rate", "shown"), [(0.9474, 95), (None, None)])
def test_the_rate_is_a_percentage_or_unknown(
    home_assistant: Any, rate: float | None, shown: float | None
) -> None:
    (sensor,) = home_assistant["mqtt"]["sensor"]
    hour = {"last_hour": {"rate": rate}}
    assert rendered(sensor["value_template"], value_json=hour) == shown
