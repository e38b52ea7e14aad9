from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from edge.config import Settings, broker_at, load_settings, parse_settings, state_directory
from edge.errors import ConfigError


def parsed(**sections: dict[str, Any]) -> Settings:
    return parse_settings({"mqtt": {"host": "broker"}, **sections}, "file.toml")


def test_everything_is_defaulted_except_the_broker() -> None:
    settings = parsed()
    assert settings.mqtt.host == "broker"
    assert settings.mqtt.broker_port == 1883
    assert settings.camera.source == "picamera2"


def test_tls_has_its_own_port() -> None:
    assert parsed(mqtt={"host": "b", "tls": True}).mqtt.broker_port == 8883
    assert parsed(mqtt={"host": "b", "tls": True, "port": 99}).mqtt.broker_port == 99


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"camra": {}}, r"file.toml: unknown section \[camra\]; did you mean camera\?"),
        ({"camera": {"soruce": "x"}}, r"\[camera\] unknown key soruce; did you mean source\?"),
        ({"camera": {"qqq": 1}}, r"\[camera\] unknown key qqq; known are .*source"),
        ({"camera": 3}, r"camera is a section: write \[camera\]"),
        ({"camera": {"fps": "15"}}, r"\[camera\] fps: Expected `float`, got `str`"),
        ({"camera": {"rotation_deg": 45}}, r"\[camera\] rotation_deg: .*45"),
        ({"mqtt": {"host": "b", "port": 70000}}, r"\[mqtt\] port: Expected `int` <= 65535"),
        ({"mqtt": {}}, r"\[mqtt\] .*missing required field `host`"),
        ({"device": {"id": "a/b"}}, r"\[device\] id: .*regex"),
        ({"device": {"id": "+"}}, r"\[device\] id: .*regex"),
        ({"detector": {"region": [[0, 0], [1, 1]]}}, r"\[detector\] .*three points"),
        (
            {"detector": {"full_every_s": 1.5}},
            "full_every_s must be below",
        ),
        ({"detector": {"region": [[0, 0], [1, 2], [1, 1]]}}, r"region\[1\]\[1\]: .*<= 1.0"),
        ({"mqtt": {"host": "b", "key_file": "k"}}, r"\[mqtt\] certificate_file and key_file"),
        ({"mqtt": {"host": "b", "ca_file": "c"}}, r"\[mqtt\] .*tls = true"),
        ({"mqtt": {"host": "b", "password_file": "p"}}, r"\[mqtt\] .*needs a username"),
        ({"policy": {"confirm_s": -1}}, r"\[policy\] confirm_s"),
        ({"camera": {"open_timeout_s": math.inf}}, r"open_timeout_s: Expected `float` <= 1000000"),
        ({"device": {"zone": "two\nlines"}}, r"\[device\] zone: a line break or another control"),
        ({"camera": {"two\nlines": 1}}, r"unknown key 'two\\nlines'; known are"),
        ({"two\nlines": {}}, r"unknown section \['two\\nlines'\]; known are"),
    ],
)
def test_a_mistake_is_named_by_section_and_key(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parsed(**sections)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 78


def test_a_file_without_a_broker_says_what_to_add() -> None:
    with pytest.raises(ConfigError, match=r"add a section \[mqtt\]"):
        parse_settings({}, "file.toml")


def test_files_that_are_missing_or_no_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.toml: No such file"):
        load_settings(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"[mqtt\n")
    with pytest.raises(ConfigError, match=r"broken.toml: not a TOML file: .*line 1"):
        load_settings(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a TOML file"):
        load_settings(broken)
    broken.write_bytes(b"a = " + b"[" * 10_000)
    with pytest.raises(ConfigError, match="not a TOML file: maximum recursion"):
        load_settings(broken)
    broken.write_bytes(b"#" * 100_000)
    with pytest.raises(ConfigError, match="larger than 64 kB"):
        load_settings(broken)


def test_the_state_directory_is_systemd_s_or_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/tensormask:/elsewhere")
    assert state_directory() == Path("/var/lib/tensormask")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert state_directory() == Path("/home/somebody/state/tensormask")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("broker.example", "broker.example", 1883),
        ("10.0.0.7:8883", "10.0.0.7", 8883),
        ("[::1]:99", "::1", 99),
        ("[fe80::1]", "fe80::1", 1883),
    ],
)
def test_a_broker_s_address_is_read(address: str, host: str, port: int) -> None:
    broker = broker_at(address)
    assert (broker.host, broker.broker_port) == (host, port)


@pytest.mark.parametrize("address", ["", "a b", "host:", "host:0", "host:70000", "::1", "host:x"])
def test_what_is_no_broker_s_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"no broker; give HOST, HOST:PORT or \[IPv6\]:PORT"):
        broker_at(address)
