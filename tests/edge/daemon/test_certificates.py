from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import MqttSettings, PageSettings, Settings
from edge.daemon.certificates import certificates, ends_at, not_after


def made(folder: Path, days: int) -> Path:
    """Return a certificate of OpenSSL's that ends in this many days."""
    path = folder / "door.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/O=Museum/CN=door-1", "-days", str(days)),
            *("-keyout", str(folder / "door.key"), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.mark.parametrize("days", [30, 20_000])
def test_the_end_of_a_certificate_is_that_which_openssl_was_asked_for(
    tmp_path: Path, days: int
) -> None:
    """One that ends after 2049 has another form of time (RFC 5280, 4.1.2.5)."""
    ends = ends_at(made(tmp_path, days))
    assert abs(ends - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)


def test_of_a_chain_the_first_one_counts_and_text_around_it_is_passed_over(tmp_path: Path) -> None:
    first = made(tmp_path, 40).read_text()
    other = made(tmp_path, 400).read_text()
    chain = tmp_path / "chain.pem"
    chain.write_text(f"the door\n{first}{other}")
    assert ends_at(chain) - datetime.now(UTC) < timedelta(days=41)


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    made(tmp_path, 1)
    with pytest.raises(ValueError, match="no certificate"):
        ends_at(tmp_path / "door.key")
    with pytest.raises(OSError, match="No such file"):
        ends_at(tmp_path / "none.crt")


@given(st.binary(max_size=200))
def test_whatever_bytes_there_are_the_error_is_the_same(content: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        not_after(content)


def test_each_certificate_that_is_shown_to_others_is_named_by_its_key(tmp_path: Path) -> None:
    file = made(tmp_path, 40)
    mqtt = MqttSettings(host="broker", tls=True, certificate_file=str(file), key_file="k")
    page = PageSettings(enabled=True, certificate_file=str(file), key_file="k")
    found = certificates(Settings(mqtt=mqtt, page=page))
    assert [each.key for each in found] == [
        f"[mqtt] certificate_file {file}",
        f"[page] certificate_file {file}",
    ]
    assert len(certificates(Settings(mqtt=mqtt))) == 1


def test_one_that_cannot_be_read_hinders_nothing(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "none.crt"), "credential:none"):
        mqtt = MqttSettings(host="broker", tls=True, certificate_file=name, key_file="k")
        assert not certificates(Settings(mqtt=mqtt))
