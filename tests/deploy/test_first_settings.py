"""deploy/broker.py: the broker that install.sh --broker names, in the settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from deploy.broker import main, with_broker
from edge.errors import ConfigError

EXAMPLE = (Path(__file__).resolve().parents[2] / "deploy" / "tensormask.toml").read_text()


@pytest.mark.parametrize(
    ("address", "mqtt"),
    [
        ("broker.example", {"host": "broker.example"}),
        ("localhost:1884", {"host": "localhost", "port": 1884}),
        ("[2001:db8::1]:8883", {"host": "2001:db8::1", "port": 8883}),
    ],
)
def test_host_and_port_are_named_and_nothing_else_is_changed(
    address: str, mqtt: dict[str, object]
) -> None:
    tables = tomllib.loads(EXAMPLE)
    assert tomllib.loads(with_broker(EXAMPLE, address)) == tables | {"mqtt": mqtt}


def test_a_port_that_is_there_already_is_not_given_twice() -> None:
    with pytest.raises(ConfigError, match="name the broker there yourself"):
        with_broker('[mqtt]\nhost = ""\nport = 8883\n', "localhost:1884")


def test_settings_keep_their_mode_and_a_broker_that_they_name(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text('[mqtt]\nhost = ""\n')
    path.chmod(0o640)
    main(path, "first")
    main(path, "second")
    assert path.read_text() == '[mqtt]\nhost = "first"\n'
    assert path.stat().st_mode & 0o777 == 0o640
