from __future__ import annotations

import pytest

from edge.page.origin import Site

PLAIN = Site("door", has_password=True)
LOCAL = Site("door", has_password=False)
BEHIND = Site("door", has_password=True, external_url="https://museum.example/door-1")
HOST = "192.0.2.7:8080"


@pytest.mark.parametrize(
    ("origin", "is_right"),
    [
        (f"http://{HOST}", True),
        (f"HTTP://{HOST}", True),
        (f"https://{HOST}", False),
        (f"x://{HOST}", False),
        ("http://192.0.2.7", False),
        ("http://evil.example", False),
        (f"http://{HOST}.evil.example", False),
        (f"http://{HOST}@evil.example", False),
        ("null", False),
        (HOST, False),
        ("", False),
    ],
)
def test_a_change_is_taken_from_our_own_page_only(origin: str, is_right: bool) -> None:
    headers = {"host": HOST} | ({"origin": origin} if origin else {})
    assert (PLAIN.refusal("POST", "http", headers) == "") is is_right
    assert PLAIN.refusal("GET", "http", headers) == ""


def test_the_port_of_the_scheme_may_be_left_out() -> None:
    headers = {"host": "door.example:443", "origin": "https://door.example"}
    assert PLAIN.refusal("POST", "https", headers) == ""
    assert PLAIN.refusal("POST", "http", headers) != ""


def test_behind_a_proxy_the_address_in_the_browser_counts() -> None:
    for host in ("127.0.0.1:8080", "museum.example"):
        headers = {"host": host, "origin": "https://museum.example"}
        assert BEHIND.refusal("POST", "http", headers) == ""
        assert "external_url" in PLAIN.refusal("POST", "http", headers)
    assert BEHIND.path == "/door-1/"
    assert PLAIN.path == "/"


def test_a_browser_that_says_same_origin_is_believed() -> None:
    headers = {"host": "127.0.0.1:1", "origin": "https://door.example"}
    assert PLAIN.refusal("POST", "http", headers | {"sec-fetch-site": "same-origin"}) == ""
    for other in ("same-site", "cross-site", "none", ""):
        assert PLAIN.refusal("POST", "http", headers | {"sec-fetch-site": other}) != ""


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]", "[::1]:8"]
)
def test_without_a_password_this_machine_is_found_by_its_own_names(host: str) -> None:
    assert LOCAL.refusal("GET", "http", {"host": host}) == ""


@pytest.mark.parametrize("external_url", ["https://Museum.example/", "https://museum.example:443"])
@pytest.mark.parametrize("host", ["museum.example", "MUSEUM.example:443", "localhost"])
def test_without_a_password_a_proxys_name_leads_here_however_it_is_written(
    external_url: str, host: str
) -> None:
    behind = Site("door", has_password=False, external_url=external_url)
    assert behind.refusal("GET", "http", {"host": host}) == ""
    for other in ("museum.example:80", "evil.example", ""):
        assert behind.refusal("GET", "http", {"host": other}) != ""


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8080", "localhost.evil.example"]
)
def test_without_a_password_no_other_name_leads_here(host: str) -> None:
    assert "http://localhost" in LOCAL.refusal("GET", "http", {"host": host})
