"""The section [metrics]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.config import MetricsSettings, PageSettings
from edge.errors import ConfigError
from edge.page.front import front_of
from tests.edge.test_config import parsed

TOKEN = "0123456789abcdef0123"


def written(folder: Path, text: str = TOKEN, mode: int = 0o600) -> str:
    path = folder / "token"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return str(path)


def test_they_are_off_and_need_no_page() -> None:
    assert parsed().metrics == MetricsSettings(enabled=False, token_file="")
    assert parsed(metrics={"token_file": "/t"}).metrics.token_file == "/t"


def test_on_the_device_itself_they_need_no_token() -> None:
    assert parsed(page={"enabled": True}, metrics={"enabled": True}).metrics.enabled


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({}, r"\[metrics\] enabled: the page serves them; set \[page\] enabled = true"),
        (
            {"enabled": True, "password_file": "p"},
            r"\[metrics\] needs a token_file where \[page\] has a password_file",
        ),
        ({"enabled": True, "external_url": "https://x/"}, "needs a token_file"),
        ({"enabled": True, "proxies": ["127.0.0.1"]}, "needs a token_file"),
    ],
)
def test_nobody_gets_them_by_a_proxy_or_past_a_password(page: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(page=page, metrics={"enabled": True})
    if page:
        parsed(page=page, metrics={"enabled": True, "token_file": "t"})


def test_the_page_learns_no_token_but_a_digest(tmp_path: Path) -> None:
    page = PageSettings(enabled=True)
    front = front_of(page, b"", MetricsSettings(enabled=True, token_file=written(tmp_path)))
    assert front.has_metrics
    assert len(front.metrics_token) == 32
    assert TOKEN not in str(front)
    assert not front_of(page, b"").has_metrics


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [("short", 0o600, "20 or more"), ("", 0o600, "is empty"), (TOKEN, 0o644, "everybody can read")],
)
def test_a_token_that_protects_nothing_is_refused(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    metrics = MetricsSettings(enabled=True, token_file=written(tmp_path, text, mode))
    with pytest.raises(ConfigError, match=rf"\[metrics\] token_file: .*{said}"):
        front_of(PageSettings(enabled=True), b"", metrics)
