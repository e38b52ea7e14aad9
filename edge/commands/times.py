"""The times that commands print: of the calendar, as in the reports."""

from __future__ import annotations

from pathlib import Path

from edge.commands.output import say
from edge.config import load_settings
from edge.report.calendar import Calendar, calendar_of


def calendar_in(config: Path) -> Calendar:
    """Return by which clock people there live. Raises ConfigError."""
    return calendar_of(load_settings(config).calendar)


def say_zone(calendar: Calendar) -> None:
    """Print of which time zone the times above are: once, below all of them."""
    say(f"times: {calendar.zone_name}")
