"""What is wrong, for the page: the cause in a sentence, and what to do about it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from edge.host.words import Condition, Weight
from edge.telemetry import CameraView, Telemetry

REMEDIES = {
    "camera": "Check its power and its cable; it is tried again by itself. "
    "“sudo tensormask doctor” on the device says more.",
    f"view {CameraView.DARK}": "Switch on a light, or have the camera look where there is some. "
    "This time does not count as watched.",
    f"view {CameraView.BLINDED}": "Turn the camera away from the light. This time does not count "
    "as watched.",
    f"view {CameraView.COVERED}": "Uncover and clean the lens, then look at the sharpness under "
    "Set up. This time does not count as watched.",
    "slow": "Give it more light or a better network, or a smaller picture with [camera] in the "
    "settings.",
    "turned": "Mount it upright, or turn its picture as said in the settings.",
    "paused": "The command “resume” ends the pause at once.",
    "broker": "Nothing is lost: alerts wait on the device. “sudo tensormask doctor” says more.",
    "backlog": "Nothing is lost. A broker that is slow, or has been away, catches up by itself.",
    "disk": "Make room, or replace the card; “sudo tensormask doctor” on the device looks at it.",
    "refusal": "Nothing is lost: alerts wait on the device.",
    "refused": "“sudo tensormask outbox list” on the device shows them and why.",
    "pace": "Give the device air, the official power supply, or fewer other programs.",
    "power": "Use the power supply that comes with the board, and a short cable.",
    "trial": "Nothing needs to be done: where it does worse, the device goes back by itself.",
    "area": "Draw it again under Set up.",
}
"""By the key of the condition."""
CAMERA = "camera"
AREA = "area"


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    key: str
    text: str
    remedy: str
    """Empty: nothing is known to help."""
    since: datetime
    weight: Weight


def explained(condition: Condition, since: datetime, telemetry: Telemetry) -> Trouble:
    """Return a condition as a sentence with its remedy."""
    text, *hints = condition.text.split("; ")
    if condition.key == CAMERA and telemetry.camera.trouble:
        text = f"The camera gives no picture: {telemetry.camera.trouble}"
    elif condition.key == "broker":
        hints.pop()  # how much waits: a figure of its own on the page
    remedy = REMEDIES.get(condition.key, "")
    if condition.key in ("broker", "paused", "turned") or not remedy:
        remedy = " ".join([*map(_sentence, hints), *([remedy] if remedy else [])])
    return Trouble(condition.key, _upper(text), remedy, since, condition.weight)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return _upper(text) if text.endswith(("?", ".")) else f"{_upper(text)}."
