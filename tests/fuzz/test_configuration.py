"""Any file is either settings or one line that says what is wrong with it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.capture.sources import is_live, open_source
from edge.config import Settings, ZoneSettings, load_settings, parse_settings
from edge.config.notify import KINDS
from edge.config.repeated import SECTIONS
from edge.errors import ConfigError, PictureError
from edge.publish.broker import BrokerAccess

_EXAMPLE = Path(__file__).resolve().parents[2] / "deploy/tensormask.toml"
_KEYS = {
    field.name: [key.name for key in msgspec.structs.fields(field.type)]
    for field in msgspec.structs.fields(Settings)
    if field.name not in SECTIONS and field.name != "cameras"  # which are [[camera]]
}
_TARGETS = {
    kind: [key.encode_name for key in msgspec.structs.fields(settings)]
    for kind, settings in KINDS.items()
}
_TARGET: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://h/"},
    "ntfy": {"topic": "door"},
    "telegram": {"token_file": "t", "chat_id": "1"},
    "email": {"host": "h", "from": "a@b.example", "to": ["c@d.example"]},
}
_HARD_WORDS = [
    "a\nb",
    "\0",
    "\u2028",
    "~nobody",
    "~",
    "x" * 300,
    "x" * 100_000,
    "../" * 60,
    "::",
    "ü",
]

_texts = st.text(max_size=20) | st.sampled_from(_HARD_WORDS)
_scalars = (
    st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.sampled_from([2**31, 2**63, 2**64, -(2**200), 10**400])
    | st.floats()
    | st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 5e-324])
    | _texts
    | st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), date(1, 1, 1), time(1)])
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def _targets(draw: st.DrawFn) -> dict[str, Any]:
    """A target whose kind and keys are mostly known."""
    kind = draw(st.sampled_from(sorted(_TARGETS)))
    keys = st.sampled_from(_TARGETS[kind]) | _texts
    table: dict[str, Any] = {"name": draw(_texts | st.just("a")), "kind": kind, **_TARGET[kind]}
    return table | draw(st.dictionaries(keys, _values, max_size=3))


@st.composite
def _zones(draw: st.DrawFn) -> dict[str, Any]:
    """A zone whose keys are mostly known."""
    keys = st.sampled_from([each.name for each in msgspec.structs.fields(ZoneSettings)]) | _texts
    corner = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(list)
    polygon = draw(st.lists(corner, max_size=6) | st.just([[0, 0], [1, 0], [1, 1]]))
    table: dict[str, Any] = {"name": draw(_texts | st.just("a")), "polygon": polygon}
    return table | draw(st.dictionaries(keys, _values, max_size=3))


@st.composite
def _cameras(draw: st.DrawFn) -> dict[str, Any]:
    """One of several cameras, whose keys are mostly known."""
    keys = st.sampled_from(_KEYS["camera"]) | _texts
    table: dict[str, Any] = {"name": draw(_texts | st.sampled_from(["a", "b"]))}
    return table | draw(st.dictionaries(keys, _values, max_size=3))


@st.composite
def _sections(draw: st.DrawFn) -> dict[str, Any]:
    """Tables whose sections and keys are mostly known."""
    tables: dict[str, Any] = {"mqtt": {"host": draw(_texts | st.just("broker"))}}
    for name in draw(st.lists(st.sampled_from(sorted(_KEYS)), max_size=4)):
        keys = st.sampled_from(_KEYS[name])
        tables.setdefault(name, {}).update(draw(st.dictionaries(keys, _values, max_size=3)))
    if draw(st.integers(0, 2)) == 0:
        tables["notify"] = draw(st.lists(_targets(), max_size=3) | _values)
    if draw(st.integers(0, 2)) == 0:
        tables["zone"] = draw(st.lists(_zones(), max_size=3) | _values)
    if draw(st.integers(0, 5)) == 0:
        tables[draw(_texts)] = draw(_values)
    if draw(st.integers(0, 5)) == 0:
        tables["camera"] = {draw(_texts): draw(_values)}
    elif draw(st.integers(0, 2)) == 0:
        tables["camera"] = draw(st.lists(_cameras(), max_size=5) | _values)
    return tables


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, float | int):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)


def _is_one_line(text: str) -> bool:
    return text.isprintable() and 0 < len(text) < 2000


def _accepted(read: Callable[[], Settings]) -> Settings | None:
    """Return what was read, None where it was refused: in one line."""
    try:
        return read()
    except ConfigError as error:
        refusal = str(error)
    assert _is_one_line(refusal)
    return None


@settings(derandomize=True, max_examples=300)
@given(_sections())
def test_any_tables_are_settings_or_one_line(tables: dict[str, Any]) -> None:
    accepted = _accepted(lambda: parse_settings(tables, "file.toml"))
    # NaN is not below anything.
    assert all(abs(number) < 2**63 for number in _numbers(msgspec.to_builtins(accepted)))


@pytest.mark.parametrize("section", _KEYS)
def test_no_key_takes_what_no_key_may_take(section: str) -> None:
    for key in _KEYS[section]:
        for value in (
            math.inf,
            -math.inf,
            math.nan,
            1e300,
            2**64,
            10**400,
            "a\nb",
            "\0",
            "x" * 9999,
        ):
            tables: dict[str, Any] = {"mqtt": {"host": "broker"}}
            tables.setdefault(section, {})[key] = value
            accepted = _accepted(partial(parse_settings, tables, "file.toml"))
            assert accepted is None, f"[{section}] {key} = {value!r:.20}"


@pytest.mark.parametrize("kind", _TARGETS)
def test_no_key_of_a_target_takes_what_none_may_take(kind: str) -> None:
    for key in _TARGETS[kind]:
        for value in (math.inf, math.nan, 1e300, 10**400, "\0", "x" * 9999, [["a"]], {"a": 1}):
            table = {"name": "a", "kind": kind, **_TARGET[kind], key: value}
            tables = {"mqtt": {"host": "broker"}, "notify": [table]}
            accepted = _accepted(partial(parse_settings, tables, "file.toml"))
            assert accepted is None, f"{kind} {key} = {value!r:.20}"


@settings(derandomize=True, max_examples=200)
@given(_texts, _texts, _texts)
def test_what_names_a_file_is_a_file_or_one_line(source: str, secret: str, user: str) -> None:
    assume(secret)
    mqtt = {"host": "broker", "username": user, "password_file": secret, "tls": True}
    tables = {"mqtt": mqtt, "camera": {"source": source}}
    accepted = _accepted(lambda: parse_settings(tables, "file.toml"))
    if accepted is None:
        return
    with pytest.raises(ConfigError) as no_secret:
        BrokerAccess(accepted.mqtt)
    assert _is_one_line(str(no_secret.value))
    if "://" in source or source.isdigit() or source.startswith(("/dev/", "picamera2")):
        return
    is_live(accepted.camera)
    with pytest.raises((ConfigError, PictureError)) as no_source:
        open_source(accepted.camera)
    assert _is_one_line(str(no_source.value))


@settings(derandomize=True, max_examples=300)
@given(st.data())
def test_a_damaged_file_is_settings_or_one_line(data: st.DataObject) -> None:
    text = _EXAMPLE.read_text().replace("\n#", "\n").replace('host = ""', 'host = "broker"')
    lines = [line for line in text.splitlines() if "=" in line or line.startswith("[")]
    content = bytearray("\n".join(lines).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.sampled_from([0, 1, 1, 20]))
        content[at : at + length] = data.draw(st.binary(max_size=4) | st.just(b"\n[[a.b]]\n"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tensormask.toml")
        path.write_bytes(content)
        _accepted(lambda: load_settings(path))


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 50_000,
        b"a = " + b"{b = " * 10_000,
        b"#" * 64_001,
        b"a." * 5_000 + b"b = 1",
        b"[mqtt]\nhost = 'b'\nport = " + b"1" * 5000,
        b"[mqtt]\nhost = 'b'\nkeepalive_s = 0x" + b"f" * 5000,
        b"[mqtt]\nhost = 'b'\n[health]\ninterval_s = 1" + b"0" * 400,
        b"[mqtt]\nhost = '" + b"b" * 50_000 + b"'",
        b"[mqtt]\nhost = 'b'\n'key\\\n' = 1",
        b'[mqtt]\nhost = "b"\n"a\\nb" = 1',
        b'["a\\nb"]\n',
    ],
    ids=[
        "arrays",
        "tables",
        "size",
        "dots",
        "digits",
        "hex",
        "float",
        "text",
        "key",
        "line",
        "section",
    ],
)
def test_what_is_deep_or_long_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load_settings(path)
    assert _is_one_line(str(refused.value))
