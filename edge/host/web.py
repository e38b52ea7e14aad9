"""Whether the page of this device answers, asked as a browser would ask it."""

from __future__ import annotations

import http.client
import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

TIMEOUT_S = 5.0
PATH = "health"


def trouble_with(url: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return why the page at `url` of this machine does not answer; empty: it does.

    Whose certificate it is does not matter: nothing secret is asked or told.
    """
    parts = urlsplit(url)
    host, port, path = parts.hostname or "", parts.port, parts.path.removesuffix("/")
    where = ip_address(host)
    if where.is_unspecified:
        host = "127.0.0.1" if where.version == 4 else "::1"
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
        return f"{url} answers with {answer.status} {answer.reason}"
    except TimeoutError:
        return f"{url} does not answer within {timeout_s:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {getattr(error, 'strerror', None) or error}"
    finally:
        connection.close()
