"""The page: does it answer, or is its port another program's?"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from edge.config import PageSettings
from edge.doctor.finding import Finding, Level
from edge.page import files
from edge.release.unit import UNIT

TIMEOUT_S = 5.0
ICON = "icon.svg"
"""What everybody gets, and no other program has."""


def page(settings: PageSettings, *, is_running: bool) -> Iterator[Finding]:
    """Return how the page does, where it is enabled; `is_running`: the service does."""
    if not settings.enabled:
        return
    cure = f"sudo ss -ltnp 'sport = :{settings.port}'; another [page] port; journalctl -u {UNIT}"
    if is_running and not _answers(settings):
        yield Finding("page", Level.FAULT, f"it does not answer at {settings.url}", cure)
    elif not is_running and _is_taken(settings):
        text = f"its port, {settings.port}, is another program's"
        yield Finding("page", Level.FAULT, text, cure)
    else:
        yield Finding("page", Level.OK, settings.url)


def _answers(settings: PageSettings) -> bool:
    where = ip_address(settings.address)
    host = settings.address
    if where.is_unspecified:
        host = "127.0.0.1" if where.version == 4 else "::1"
    if settings.certificate_file:
        # Whose it is does not matter here: nothing secret is asked or told.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, settings.port, timeout=TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, settings.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/{ICON}")
        ours = (Path(files.__file__).parent / ICON).read_bytes()
        return connection.getresponse().read(len(ours) + 1) == ours
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_taken(settings: PageSettings) -> bool:
    family = socket.AF_INET6 if ip_address(settings.address).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
