"""The page: does it answer, or is its port another program's?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address

from edge.commands.doctor.finding import Finding, well, wrong
from edge.commands.status import JUST_STARTED_S
from edge.conditions import Code
from edge.config import PageSettings
from edge.host.web import reachable, trouble_with
from edge.page.activation import listened
from edge.release.unit import PAGE_UNIT, UNIT
from edge.telemetry import Telemetry


def page(settings: PageSettings, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return how the page does, where it is enabled; `telemetry`: of the service that runs."""
    if not settings.enabled:
        return
    cure = (
        f"sudo ss -ltnp 'sport = :{settings.port}'; another [page] port; "
        f"journalctl -u {UNIT} -u {PAGE_UNIT}"
    )
    if telemetry is not None and telemetry.uptime_s < JUST_STARTED_S:
        text = f"{reachable(settings.url)}; whether it answers is known in some seconds"
        yield wrong("page", Code.UNKNOWN, why=text)
    elif telemetry is not None and (trouble := trouble_with(settings.url)):
        yield wrong("page", Code.PAGE_DOWN, cure, trouble=trouble)
    elif telemetry is None and not listened() and _is_taken(settings):
        yield wrong("page", Code.PAGE_PORT_TAKEN, port=settings.port)
    else:
        yield well("page", reachable(settings.url))
    if settings.is_in_clear:
        yield wrong("page", Code.PASSWORD_IN_CLEAR)


def _is_taken(settings: PageSettings) -> bool:
    family = socket.AF_INET6 if ip_address(settings.address).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
