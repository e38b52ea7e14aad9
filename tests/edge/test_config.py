from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import (
    DEFAULT_PATH,
    SCHEMA,
    Settings,
    broker_at,
    load_settings,
    parse_settings,
    state_directory,
)
from edge.decide.evidence import Evidence
from edge.decide.policy import ViolationPolicy
from edge.detect.cadence import PacedDetection
from edge.detect.detection import FaceDetection
from edge.errors import ConfigError
from edge.look import Attention
from edge.pipeline import Pipeline
from edge.records import Face, Frame, MaskReading
from edge.track import Tracker
from tests.fakes import FixedDetector, blank, face_at, face_read, frame_at, looked


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
        (
            {"calendar": {"shifts": [{"name": "a", "hour": ["06:00-07:00"]}]}},
            r"\[calendar\] shifts number 1 \(a\): unknown key hour; did you mean hours\?$",
        ),
        (
            {"calendar": {"seasons": [{"first": "01-01", "end": "02-01"}]}},
            r"\[calendar\] seasons number 1: unknown key end; known are first, last$",
        ),
        (
            {"calendar": {"shifts": [{"name": "a shift", "hours": ["06:00-07:00"]}]}},
            r"\[calendar\] shifts number 1 \(a shift\): name: only letters",
        ),
        (
            {"calendar": {"shifts": [{"name": "-late", "hours": ["06:00-07:00"]}]}},
            r"name: only letters, digits, _, - and . are allowed, and no - at the beginning$",
        ),
        ({"calendar": {"time_zone": "berlin"}}, r"time_zone: .*; did you mean Europe/Berlin\?"),
        ({"camra": {}}, r"file.toml: unknown section \[camra\]; did you mean camera\?"),
        ({"camera": {"soruce": "x"}}, r"\[camera\] unknown key soruce; did you mean source\?"),
        ({"camera": {"qqq": 1}}, r"\[camera\] unknown key qqq; known are .*source"),
        (
            {"sign": {"enabled": True}},
            r"\[sign\] is a part of the page: it needs \[page\] enabled = true$",
        ),
        (
            {"sign": {"languages": ["de", "de"]}},
            r"\[sign\] languages: one is named twice",
        ),
        (
            {"sign": {"languages": ["xx"]}},
            r"\[sign\] languages: 'xx': the sign knows ar, cs, .*; for another one, "
            r"\[sign.sentences.CODE\] has to have please, thanks",
        ),
        (
            {"sign": {"sentences": {"en": {"gone": "Go"}}}},
            r"\[sign\] sentences.en: 'gone' is none of please, thanks, .*closed$",
        ),
        (
            {"sign": {"sentences": {"en": {"go": "two\nlines"}}}},
            r"\[sign\] sentences.en.go: a sentence has 1 to 80 characters on one line$",
        ),
        (
            {"sign": {"sentences": {"fr": {"go": "Allez"}}}},
            r"\[sign\] sentences: 'fr' is not one of languages",
        ),
        (
            {"station": {"enabled": True, "min_face_px": 30}, "classifier": {"min_face_px": 40}},
            r"\[station\] min_face_px must be at least \[classifier\] min_face_px",
        ),
        (
            {"snapshots": {"proxies": []}},
            r"\[snapshots\] unknown key proxies; it is a key of \[page\], whose header is missing "
            "or has a # before it$",
        ),
        (
            {"camera": {"keep": 4}, "log": {"fps": 4}},
            r"\[camera\] unknown key keep; it is a key of \[release\], whose header is missing",
        ),
        (
            {"camera": {}, "log": {"fps": 4}},
            r"\[log\] unknown key fps; it is a key of \[camera\] or of \[page\], whose header is",
        ),
        ({"detector": {}, "log": {"region": []}}, r"region; it is a key of \[detector\]$"),
        (
            {"trial_s": 20},
            r"trial_s stands before the first section; it is a key of \[release\], whose header",
        ),
        ({"lopp": 20}, r"lopp stands before the first section; each key stands in a section"),
        ({"notifi": [{"name": "a"}]}, r"unknown section \[\[notifi\]\]; did you mean notify\?"),
        ({"lopps": []}, r"lopps stands before the first section"),
        ({"camera": 3}, r"camera is a section: write \[camera\]"),
        ({"camera": {"fps": "15"}}, r"\[camera\] fps: must be a number, not text in quotes"),
        ({"camera": {"rotation_deg": 45}}, r"\[camera\] rotation_deg: .*45"),
        ({"mqtt": {"host": "b", "port": 70000}}, r"\[mqtt\] port: must be at most 65535"),
        ({"mqtt": {"host": ""}}, r"\[mqtt\] host: must not be empty; name the broker"),
        ({"mqtt": {"host": 3}}, r"\[mqtt\] host: must be text in quotes, not a whole number"),
        ({"camera": {"source": ""}}, r"\[camera\] source: must not be empty$"),
        ({"camera": {"fps": True}}, r"\[camera\] fps: must be a number, not true or false"),
        ({"camera": {"width_px": 12.5}}, r"width_px: must be a whole number, not a number"),
        ({"detector": {"confidence": "high"}}, r"confidence: must be a number, not text in quotes"),
        ({"detector": {"region": [[1], [2]]}}, r"region\[0\]: must have 2 entries"),
        ({"mqtt": {}}, r"\[mqtt\] host is missing"),
        ({"device": {"id": "a/b"}}, r"\[device\] id: .*letters"),
        ({"device": {"id": "+"}}, r"\[device\] id: .*letters"),
        ({"detector": {"region": [[0, 0], [1, 1]]}}, r"\[detector\] .*three points"),
        (
            {"detector": {"full_every_s": 1.5}},
            "full_every_s must be below",
        ),
        (
            {"detector": {"region": [[0, 0], [1, 2], [1, 1]]}},
            r"region\[1\]\[1\]: must be at most 1",
        ),
        ({"detector": {"every_s": 1.6}}, r"\[detector\] every_s must be below"),
        ({"policy": {"bare_probability": 0.99}}, r"bare_probability: must be at most 0.98"),
        ({"classifier": {"recheck_s": 61}}, r"recheck_s: must be at most 60"),
        (
            {"detector": {"confidence": 0.7, "sure_confidence": 0.6}},
            r"\[detector\] sure_confidence must be at least confidence",
        ),
        ({"camera": {"source": "rtps://c/live"}}, r"file.toml: \[camera\] source: rtps:// is not"),
        ({"camera": {"source": "rtsp://c..e/live"}}, r"file.toml: \[camera\] source: the host of"),
        ({"mqtt": {"host": "b:1883"}}, r"\[mqtt\] host: .*; the port has a key of its own"),
        ({"mqtt": {"host": "mqtt://b"}}, r"\[mqtt\] host: .*without a scheme"),
        ({"mqtt": {"host": "a b"}}, r"\[mqtt\] host: a name has letters"),
        (
            {"camera": {"rotation_deg": 45}},
            r"rotation_deg: 45 is not one of its values; known are 0, 90, 180, 270$",
        ),
        (
            {"commands": {"allowed": ["pause", "halt"]}},
            r"\[commands\] allowed\[1\]: 'halt' is not one of its values; known are acknowledge,",
        ),
        ({"mqtt": {"host": "b", "key_file": "k"}}, r"\[mqtt\] certificate_file and key_file"),
        ({"mqtt": {"host": "b", "ca_file": "c"}}, r"\[mqtt\] .*tls = true"),
        ({"mqtt": {"host": "b", "password_file": "p"}}, r"\[mqtt\] .*needs a username"),
        ({"policy": {"confirm_s": -1}}, r"\[policy\] confirm_s"),
        ({"camera": {"open_timeout_s": math.inf}}, r"open_timeout_s: must be at most 1000000"),
        ({"device": {"zone": "two\nlines"}}, r"\[device\] zone: a line break or another control"),
        (
            {"camera": {"source": "rtsps://c/live", "fingerprint": "AB:CD"}},
            r"\[camera\] fingerprint: it is a certificate's SHA-256: 64 hexadecimal digits",
        ),
        (
            {"camera": {"source": "rtsps://c/live", "ca_file": "ca.pem", "insecure": True}},
            r"\[camera\] ca_file and insecure exclude each other: keep one",
        ),
        (
            {"camera": {"source": " RTSP://c/live", "ca_file": "ca.pem"}},
            r"\[camera\] ca_file needs an rtsps:// or https:// source: this one has no TLS",
        ),
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
    broken.write_bytes('[mqtt]\nhost = "b"\n'.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"broken.toml: saved as UTF-16 or UTF-32; save it as"):
        load_settings(broken)
    broken.write_bytes('[mqtt]\nhost = "Café"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"broken.toml: line 2, column 12 is not UTF-8"):
        load_settings(broken)
    broken.write_bytes(b"a = " + b"[" * 10_000)
    with pytest.raises(ConfigError, match="not a TOML file: maximum recursion"):
        load_settings(broken)
    broken.write_bytes(b"#" * 100_000)
    with pytest.raises(ConfigError, match="larger than 64 kB"):
        load_settings(broken)


@pytest.mark.parametrize("value", ["localhost", "yes", "True", "“Museum”"])
def test_a_value_without_its_quotes_is_answered_with_how_it_is_written(
    tmp_path: Path, value: str
) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(f"[mqtt]\nhost = {value}\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"line 2.*; text goes in straight quotes"):
        load_settings(path)


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "tensormask.toml"
    file.write_bytes(b'\xef\xbb\xbf[mqtt]\nhost = "broker"\n')
    assert load_settings(file).mqtt.host == "broker"


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def secret_settings(tmp_path: Path) -> Path:
    file = tmp_path / "tensormask.toml"
    file.write_text('[mqtt]\nhost = "broker"\n')
    file.chmod(0)
    return file


@pytest.mark.usefixtures("secret_settings", "ordinary_user")
def test_who_may_not_read_the_settings_is_told_who_may(secret_settings: Path) -> None:
    with pytest.raises(ConfigError, match="Permission denied: only root and the service may read"):
        load_settings(secret_settings)


class Bare:
    """Judges every face bare, surely."""

    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        return tuple(face_read(face, 1.0) for face in faces)


@dataclass(frozen=True)
class Even:
    bare: float = 0.5
    masked: float = 0.5


def is_told_of(settings: Settings, *, moves: bool) -> bool:
    """Tell whether somebody bare who stays for half a minute is reported."""
    road = Pipeline(
        PacedDetection(
            FaceDetection(FixedDetector([face_at(60, 20, 40)]), settings.detector),
            settings.detector,
        ),
        Tracker(settings.tracker),
        Attention(Bare(), settings.classifier),
        ViolationPolicy(settings.policy, Even(), lambda _: "event"),
    )
    fps = settings.camera.fps
    shown = [blank(160, 90, grey) for grey in ((100, 160) if moves else (100,))]
    return any(
        road.process(frame_at(number / fps, shown[number % len(shown)])).decision.violations
        for number in range(round(30 * fps))
    )


@pytest.mark.parametrize("fps", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("max_missed_s", [1.55, 3.1, 6.1])
def test_what_is_refused_is_what_reports_nobody(fps: float, max_missed_s: float) -> None:
    accepted = 0
    sections: dict[str, dict[str, Any]] = {
        "mqtt": {"host": "broker"},
        "camera": {"fps": fps},
        "tracker": {"max_missed_s": max_missed_s},
    }
    for every_s, full_every_s, idle_every_s in itertools.product(
        (0.0, 0.12, 1.3, 1.6, 2.5, 3.5), (0.5, 1.7, 2.5), (1.0, 5.0)
    ):
        sections["detector"] = {
            "every_s": every_s,
            "full_every_s": full_every_s,
            "idle_every_s": idle_every_s,
        }
        reports = all(
            is_told_of(msgspec.convert(sections, Unchecked), moves=moves) for moves in (True, False)
        )
        try:
            parsed(**sections)
        except ConfigError:
            assert not reports, sections
        else:
            assert reports, sections
            accepted += 1
    assert accepted > 0


class Unchecked(Settings, frozen=True):
    """Settings that need not fit each other."""

    def __post_init__(self) -> None:
        """Whatever they are."""


@pytest.mark.parametrize("look_every_s", [0.12, 0.5, 1.0, 1.5])
def test_evidence_can_reach_what_may_be_asked_of_it(look_every_s: float) -> None:
    evidence = Evidence()
    for number in range(1000):
        evidence.add(looked(1.0), number * look_every_s)
    assert 0.98 <= evidence.bare_probability < 0.99


def test_a_user_without_a_home_directory_learns_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(ConfigError, match=r"no home directory; set HOME or STATE_DIRECTORY, or \["):
        state_directory()


def test_the_state_directory_is_systemd_s_or_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/tensormask:/elsewhere")
    assert state_directory() == Path("/var/lib/tensormask")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert state_directory() == Path("/home/somebody/state/tensormask")


@pytest.mark.parametrize("tables", [{}, {"mqtt": {"host": ""}}])
def test_the_installed_service_gets_its_broker_by_a_command(tables: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r", or: sudo deploy/install\.sh --broker HOST$"):
        parse_settings(tables, str(DEFAULT_PATH))
    with pytest.raises(ConfigError, match="broker") as refused:
        parse_settings(tables, "door.toml")
    assert "install.sh" not in str(refused.value)


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


NEWER = """# tensormask settings {schema}
[mqtt]
host = "broker"
telepathy = true
[telescope]
length_px = 3
"""


def test_what_a_newer_release_has_written_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(NEWER.format(schema=SCHEMA + 1))
    assert load_settings(path) == parsed()
    assert caplog.messages == [
        f"{path}: written for a newer program; ignored: [mqtt] telepathy, [telescope]"
    ]


@pytest.mark.parametrize("schema", [SCHEMA, SCHEMA - 1, "x"])
def test_in_a_file_of_our_own_it_is_a_mistake(tmp_path: Path, schema: object) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(NEWER.format(schema=schema))
    with pytest.raises(ConfigError, match="unknown key telepathy"):
        load_settings(path)


def test_wrong_values_are_refused_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(NEWER.format(schema=SCHEMA + 1).replace("telepathy = true", "port = 0"))
    with pytest.raises(ConfigError, match=r"\[mqtt\] port"):
        load_settings(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[camera]\n[[camera]]", r"\[camera\] in line 3 and \[\[camera\]\] in line 4: each of sev"),
        ("[[camera]]\n[camera]", r"with a name: write \[\[camera\]\] in both lines$"),
        ("[zone]\n[[zone]] # x", r"\[\[zone\]\] in line 4: write \[\[zone\]\] in both lines$"),
        ("[page]\n[[page]]", r"this section occurs only once: write one \[page\]$"),
        ("[page]\n[page]", r"not a TOML file: .*; each section and each key may occur only once$"),
    ],
)
def test_a_section_in_both_forms_is_refused_with_what_to_write(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "t.toml"
    file.write_text(f'[mqtt]\nhost = "broker"\n{text}\n')
    with pytest.raises(ConfigError, match=said):
        load_settings(file)


def test_a_newer_program_s_keys_in_a_list_of_tables_are_left_out() -> None:
    shift = {"name": "early", "hours": ["06:00-14:00"], "color": 1}
    tables = {"mqtt": {"host": "broker"}, "calendar": {"shifts": [shift]}}
    settings = parse_settings(tables, "file.toml", SCHEMA + 1)
    assert [each.name for each in settings.calendar.shifts] == ["early"]
