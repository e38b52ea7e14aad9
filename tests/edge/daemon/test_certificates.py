from __future__ import annotations

from pathlib import Path

from edge.config import MqttSettings, PageSettings, Settings
from edge.daemon.certificates import certificates
from tests.edge.host.test_certificate import made


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
