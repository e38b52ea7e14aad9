from __future__ import annotations

import socket
import subprocess
import sys
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest

from edge.host.web import reachable
from tests.needs import lacking


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://192.0.2.7:443", "http://[::1]:8080"]
)
def test_an_address_that_a_browser_can_open_is_left_as_it_is(url: str) -> None:
    assert reachable(url) == url


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "[::]"])
def test_everywhere_is_named_by_an_address_of_this_machine(everywhere: str) -> None:
    parts = urlsplit(reachable(f"https://{everywhere}:8443"))
    assert (parts.scheme, parts.port) == ("https", 8443)
    own = ip_address(parts.hostname or "")
    assert not own.is_unspecified
    # Only an address of its own can be bound.
    family = socket.AF_INET if own.version == 4 else socket.AF_INET6
    with socket.socket(family) as probe:
        probe.bind((str(own), 0))


def test_without_a_network_it_is_the_machine_itself() -> None:
    program = "from edge.host.web import reachable; print(reachable('http://[::]:80'))"
    alone = ["unshare", "--net", sys.executable, "-c", program]
    answer = subprocess.run(alone, capture_output=True, text=True, check=False)
    if "unshare" in answer.stderr:
        lacking("no network namespaces", "sudo make test")
    assert answer.stdout == "http://127.0.0.1:80\n", answer.stderr
