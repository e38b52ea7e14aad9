"""Metrics over HTTP: the real page before a real listener, asked by programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from edge.config import MetricsSettings
from edge.page.bearer import OPEN_METRICS_TYPE, PROMETHEUS_TYPE
from edge.page.guard import FREE_TRIES, Guard, TooManyError
from tests.edge.page.program import PASSWORD, Program, password_file
from tests.edge.page.test_listener import window_of
from tests.fakes import TurnedClock

TOKEN = "0123456789abcdef0123"
OPEN = MetricsSettings(enabled=True)
SCRAPE = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
"""What Prometheus accepts."""


@pytest.fixture
def with_token(tmp_path: Path) -> MetricsSettings:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(f"{TOKEN}\n")
    return MetricsSettings(enabled=True, token_file=str(token))


@pytest.fixture
def protected(
    tmp_path: Path, start: Callable[..., Program], with_token: MetricsSettings
) -> Program:
    """A page with a password, and metrics with a token."""
    return start(with_token, password_file=password_file(tmp_path))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_they_are_not_there_unless_enabled(page: Program, guarded: Program) -> None:
    assert page.ask("GET", "/metrics")[0] == 404
    assert guarded.ask("GET", "/metrics")[0] == 401


def test_on_the_device_itself_they_are_served_in_the_form_that_is_asked_for(
    start: Callable[..., Program],
) -> None:
    page = start(OPEN)
    for accept, content, kind in (
        ("*/*", b"the metrics, 0", CONTENT_TYPE_PLAIN_0_0_4),
        (SCRAPE, b"the metrics, 1", CONTENT_TYPE_LATEST),
    ):
        status, headers, text = page.ask("GET", "/metrics", Accept=accept)
        assert (status, text, headers["content-type"]) == (200, content, kind)
    assert (PROMETHEUS_TYPE, OPEN_METRICS_TYPE) == (CONTENT_TYPE_PLAIN_0_0_4, CONTENT_TYPE_LATEST)


def test_no_other_site_gets_them_by_a_name_that_leads_here(start: Callable[..., Program]) -> None:
    assert start(OPEN).ask("GET", "/metrics", Host="evil.example")[0] == 421


def test_a_token_opens_them_and_nothing_else(protected: Program) -> None:
    status, _, text = protected.ask("GET", "/metrics", b"", **bearer(TOKEN))
    assert (status, text) == (200, b"the metrics, 0")
    for path in ("/report", "/scene", "/page.js", "/metrics/", "/metrics/x"):
        assert protected.ask("GET", path, b"", **bearer(TOKEN))[0] == 401, path
    assert protected.ask("GET", "/", b"", **bearer(TOKEN))[0] == 303


def test_nothing_else_opens_them(protected: Program) -> None:
    login = protected.ask("POST", "/login", f'"{PASSWORD}"'.encode(), Origin=protected.url)
    session = {"Cookie": login[1]["set-cookie"].partition(";")[0]}
    assert protected.ask("GET", "/report", b"", **session)[0] == 200
    for headers in (
        {},
        session,
        bearer(""),
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"X-Forwarded-For": "127.0.0.1"},
    ):
        status, told, text = protected.ask("GET", "/metrics", b"", **headers)
        assert (status, told["www-authenticate"]) == (401, "Bearer")
        assert b"metrics," not in text


def test_behind_a_proxy_the_token_opens_them_below_its_path(
    tmp_path: Path, start: Callable[..., Program], with_token: MetricsSettings
) -> None:
    page = start(
        with_token,
        password_file=password_file(tmp_path),
        external_url="https://museum.example/door-1/",
        proxies=["127.0.0.1"],
    )
    proxied = {"X-Forwarded-For": "192.0.2.9", "Host": "museum.example"}
    for path in ("/door-1/metrics", "/metrics"):
        assert page.ask("GET", path, b"", **proxied)[0] == 401
        assert page.ask("GET", path, b"", **proxied, **bearer(TOKEN))[0] == 200
    assert page.ask("GET", "/door-1/report", b"", **proxied, **bearer(TOKEN))[0] == 401
    page.ask("GET", "/metrics", b"", **proxied, **bearer(f"{TOKEN}x"))
    assert "failed token from 192.0.2.9, attempt 1" in page.log


def test_wrong_tokens_wait_longer_and_longer_and_keep_nobody_from_the_page(
    protected: Program,
) -> None:
    wrong = [protected.ask("GET", "/metrics", b"", **bearer(f"{TOKEN}x")) for _ in range(6)]
    assert [status for status, _, _ in wrong] == [401] * (FREE_TRIES + 1) + [429] * 2
    assert int(wrong[-1][1]["retry-after"]) <= 2
    assert "failed token from 127.0.0.1, attempt 3" in protected.log
    assert TOKEN not in protected.log
    login = protected.ask("POST", "/login", f'"{PASSWORD}"'.encode(), Origin=protected.url)
    assert login[0] == 204


def test_a_token_that_no_header_can_have_is_wrong_and_stops_nothing(protected: Program) -> None:
    assert protected.ask("GET", "/metrics", Authorization="Bearer \xe9\xff")[0] == 401
    assert protected.ask("GET", "/metrics", b"", **bearer(TOKEN))[0] == 200


def test_a_right_token_forgets_the_wrong_ones() -> None:
    clock = TurnedClock()
    guard = Guard("", clock=clock)
    for _ in range(3):
        for _ in range(FREE_TRIES):
            assert not guard.accepts("192.0.2.1", b"wrong", b"right")
        assert guard.accepts("192.0.2.1", b"right", b"right")
    for _ in range(FREE_TRIES + 1):
        guard.accepts("192.0.2.1", b"wrong", b"right")
    with pytest.raises(TooManyError):
        guard.accepts("192.0.2.1", b"right", b"right")
    assert guard.accepts("192.0.2.2", b"right", b"right")
    clock.now_s += 2
    assert guard.accepts("192.0.2.1", b"right", b"right")


def test_a_service_that_has_gone_is_said(start: Callable[..., Program]) -> None:
    page = start(OPEN)
    page.listener.close()
    assert page.ask("GET", "/metrics")[0] == 503


def test_before_the_first_figures_a_scraper_is_to_come_again(start: Callable[..., Program]) -> None:
    page = start(OPEN)
    window_of(page.listener).metrics = lambda is_open_metrics: b""
    status, headers, _ = page.ask("GET", "/metrics")
    assert (status, headers["retry-after"]) == (503, "5")


def test_many_who_scrape_at_once_cost_one_rendering(start: Callable[..., Program]) -> None:
    page, asked = start(OPEN), []

    def counted(is_open_metrics: bool) -> bytes:
        asked.append(is_open_metrics)
        return b"the metrics"

    window_of(page.listener).metrics = counted
    for _ in range(20):
        assert page.ask("GET", "/metrics")[0] == 200
    assert len(asked) < 10
