"""Would this release, as the service, refuse the settings, or what they name?"""

from __future__ import annotations

from pathlib import Path

from edge.commands.sandbox import unit_of_this_release
from edge.config import load_settings
from edge.errors import ConfigError

LIMIT_S = 90.0
REFUSALS = (65, 72, 78)
"""Exit statuses of the check."""
WITHOUT_CREDENTIAL = 243
"""Of a unit, see systemd.exec(5)."""


def refusal(config: Path) -> str:
    """Return why it would, as `check --only configuration` says it; empty: it would not.

    That is run in this release's own unit, whichever release is linked now. Where it cannot be, the
    file alone is looked at: another process has neither the service's rights nor its credentials.
    """
    if (unit := unit_of_this_release()) is not None:
        only = ("--only", "configuration", "--config", str(config.absolute()))
        status, said = unit.ask(["check", "--here", *only], LIMIT_S)
        if status == WITHOUT_CREDENTIAL:
            return "the unit has a LoadCredential= whose file is not there"
        if status in (0, *REFUSALS):
            return said.strip() if status else ""
    try:
        load_settings(config)
    except ConfigError as error:
        return str(error)
    return ""
