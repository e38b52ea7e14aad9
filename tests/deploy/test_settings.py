"""deploy/tensormask.toml, the commented example that install.sh puts into place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import SCHEMA, TargetSettings, ZoneSettings, parse_settings
from edge.config.notify import KINDS
from edge.config.repeated import SECTIONS
from edge.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "tensormask.toml"
_DEPENDS = {
    ("mqtt", "port"),
    ("device", "id"),
    ("detector", "confidence"),
    ("detector", "sure_confidence"),
    ("classifier", "looks_per_frame"),
    ("policy", "bare_probability"),
}
"""Their defaults depend on other settings, the host, or the model."""


def _uncommented() -> dict[str, Any]:
    """The example, every `#key = value` and `#[section]` in force; prose has a space there."""
    text = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    tables = tomllib.loads(text)
    tables["mqtt"]["host"] = "broker.example"
    return tables


def test_as_shipped_only_the_host_is_missing() -> None:
    shipped = tomllib.loads(EXAMPLE.read_text())
    with pytest.raises(ConfigError, match=r"\[mqtt\] host"):
        parse_settings(shipped, "tensormask.toml")
    shipped["mqtt"]["host"] = "broker.example"
    assert parse_settings(shipped, "x") == parse_settings({"mqtt": {"host": "broker.example"}}, "x")


def test_it_is_marked_with_the_schema_of_this_program() -> None:
    assert EXAMPLE.read_text().splitlines()[0] == f"# tensormask settings {SCHEMA}"


def test_only_sections_that_the_first_release_knows_stand_uncovered() -> None:
    """0.1.0 refuses all others, and it must run on these settings: the way back."""
    first = "mqtt device camera detector classifier tracker policy outbox commands snapshots health"
    assert set(tomllib.loads(EXAMPLE.read_text())) <= {*first.split(), "log"}


def test_every_key_is_shown_with_its_true_default() -> None:
    defaults = msgspec.json.decode(
        msgspec.json.encode(parse_settings({"mqtt": {"host": "broker.example"}}, "x"))
    )
    shown = _uncommented()
    for repeated in SECTIONS:
        del defaults[repeated], shown[repeated]
    del defaults["cameras"]
    assert _flat(shown) == _flat(defaults)


def test_every_kind_of_target_is_shown_with_its_keys_and_true_defaults() -> None:
    shown = {each.pop("kind"): each for each in _uncommented()["notify"]}
    assert list(shown) == list(KINDS)
    common = {field.name for field in msgspec.structs.fields(TargetSettings)}
    for kind, table in shown.items():
        fields = {field.encode_name: field for field in msgspec.structs.fields(KINDS[kind])}
        left_out = set() if kind == "webhook" else common - {"name"}
        # Its default depends on tls.
        assert set(fields) - left_out - set(table) == {"port"} & set(fields)
        for key, value in table.items():
            field = fields[key]
            default = {} if key == "headers" else field.default
            if default is not msgspec.NODEFAULT and key not in ("url", "on"):
                assert value == (list(default) if isinstance(default, tuple) else default), key


def test_a_zone_is_shown_with_its_keys_and_true_defaults() -> None:
    (shown,) = _uncommented()["zone"]
    fields = {field.name: field for field in msgspec.structs.fields(ZoneSettings)}
    assert sorted(shown) == sorted(fields)
    settings = parse_settings({"mqtt": {"host": "h"}}, "x")
    general = {
        "confirm_s": settings.policy.confirm_s,
        "min_face_px": settings.classifier.min_face_px,
    }
    for key in set(fields) - {"name", "polygon"}:
        default = general.get(key, fields[key].default)
        assert shown[key] == (list(default) if isinstance(default, tuple) else default), key


def _flat(tables: dict[str, dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {
        (section, key): None if (section, key) in _DEPENDS else value
        for section, table in tables.items()
        for key, value in table.items()
    }


def test_the_shown_values_are_accepted() -> None:
    tables = _uncommented()
    # Empty stands for the host's name, which cannot be written there.
    del tables["device"]["id"]
    parse_settings(tables, "tensormask.toml")
