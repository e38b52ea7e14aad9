"""Whether the page of this device answers, asked as a browser would ask it."""

from __future__ import annotations

import http.client
import socket
import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from edge.address import bracketed

TIMEOUT_S = 5.0
PATH = "health"
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses of no machine, on the way to all others."""


def reachable(url: str) -> str:
    """Return the `url` of a page of this machine as a browser of its network can open it.

    Where the page listens everywhere, as 0.0.0.0 or ::, that is no address: it becomes the one
    with which this machine talks to others, or, without a network, its own for itself.
    """
    parts = urlsplit(url)
    if not (where := ip_address(parts.hostname or "")).is_unspecified:
        return url
    own = _own_address(4) or (_own_address(6) if where.version == 6 else "")
    return parts._replace(netloc=f"{bracketed(own or _LOOPBACK[4])}:{parts.port}").geturl()


def _own_address(version: int) -> str:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((_ELSEWHERE[version], 9))  # sends nothing
            return str(way.getsockname()[0])
    except OSError:
        return ""


def trouble_with(url: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return why the page at `url` of this machine does not answer; empty: it does.

    Whose certificate it is does not matter: nothing secret is asked or sent.
    """
    parts = urlsplit(url)
    host, port, path = parts.hostname or "", parts.port, parts.path.removesuffix("/")
    if (where := ip_address(host)).is_unspecified:
        host = _LOOPBACK[where.version]
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        # A page without a password answers to this name only.
        connection.request("GET", f"{path}/{PATH}", headers={"Host": "localhost"})
        answer = connection.getresponse()
        if answer.status == http.client.OK and b'"ok"' in answer.read(100):
            return ""
        return f"{reachable(url)} answers with {answer.status} {answer.reason}"
    except TimeoutError:
        return f"{reachable(url)} does not answer within {timeout_s:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"{reachable(url)} does not answer: {getattr(error, 'strerror', None) or error}"
    finally:
        connection.close()
