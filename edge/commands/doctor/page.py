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
from edge.telemetry import PageState, Telemetry


def page(settings: PageSettings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Return how the page does, where it is enabled.

    `telemetry` is of the service that runs: without settings, it says where the page should be.
    """
    state = None if telemetry is None else telemetry.page
    if settings is not None and (state is None or state.url != settings.url):
        state = PageState(settings.url)
    if state is None or (settings is not None and not settings.enabled):
        return
    if telemetry is not None:
        yield _served(state, telemetry)
    elif settings is not None and not listened() and _is_taken(settings):
        yield wrong("page", Code.PAGE_PORT_TAKEN, port=settings.port)
    else:
        yield well("page", reachable(state.url))
    if settings is not None and settings.is_in_clear:
        yield wrong("page", Code.PASSWORD_IN_CLEAR)


def _served(state: PageState, telemetry: Telemetry) -> Finding:
    if not state.trouble and telemetry.uptime_s < JUST_STARTED_S:
        text = f"{reachable(state.url)}; whether it answers is known in some seconds"
        return wrong("page", Code.UNKNOWN, why=text)
    if trouble := state.trouble or trouble_with(state.url):
        return wrong("page", Code.PAGE_DOWN, trouble=trouble, port=state.port)
    return well("page", reachable(state.url))


def _is_taken(settings: PageSettings) -> bool:
    family = socket.AF_INET6 if ip_address(settings.address).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
