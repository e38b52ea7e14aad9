"""Notifications: does each target take them?"""

from __future__ import annotations

from collections.abc import Iterator

from edge.commands.doctor.finding import Finding, reported, well
from edge.conditions import Code
from edge.telemetry import Telemetry
from edge.words import count


def targets(telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return what the running service says of each; `check` looks at the files of all."""
    if telemetry is None:
        return
    yield from reported("notify", telemetry, [Code.NOTIFY_FAILING])
    for each in telemetry.notifiers:
        if not each.trouble:
            yield well("notify", f"{each.name}: {count(each.waiting, 'event')} queued")
