"""deploy/first_settings.py: broker and camera in the settings, given or answered."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.first_settings import (
    Given,
    ask,
    broker_at,
    present,
    refuse_another,
    source_at,
    write,
    written,
)
from edge import installed
from edge.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "deploy" / "tensormask.toml").read_text()
PASSWORD = "Xyzzy-plugh-42"


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
    assert tomllib.loads(written(EXAMPLE, broker_at(address))) == tables | {"mqtt": mqtt}


@pytest.mark.parametrize(
    ("given", "camera"),
    [
        ("0", {"source": "/dev/video0"}),
        ("/dev/video3", {"source": "/dev/video3"}),
        ("picamera2:1", {"source": "picamera2:1"}),
        (r'rtsp://a:ü"\@h/s?x=1#y', {"source": r'rtsp://a:ü"\@h/s?x=1#y'}),
        (str(ROOT / "docs"), {"source": str(ROOT / "docs"), "loop": True}),
    ],
)
def test_a_source_is_named_as_it_is_and_nothing_else_is_changed(
    given: str, camera: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "UNSEEN", ())
    tables = tomllib.loads(EXAMPLE)
    named = written(EXAMPLE, source_at(given))
    assert tomllib.loads(named) == tables | {"camera": camera}
    # In the line where the example has it, so that its comment stays with it.
    assert len(named.splitlines()) == len(EXAMPLE.splitlines())


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "[device]\nid = 'box'\n",
        "[mqtt]\n",
        '[mqtt]\nport = 8883\nhost = ""\n[log]\nlevel = "debug"',
        "[camera] # of the hall\nfps = 5.0\n\n[mqtt]\n#host = 'x'\n",
        "# [mqtt]\n",
        '[mqtt]\r\nhost = ""\r\n[camera]\r\n#source = "x"\r\n',
    ],
)
def test_settings_of_somebodys_own_form_take_them_too(settings: str) -> None:
    named = tomllib.loads(written(settings, Given("broker", source="/dev/video0")))
    before = tomllib.loads(settings)
    assert named["mqtt"] == before.get("mqtt", {}) | {"host": "broker"}
    assert named["camera"] == before.get("camera", {}) | {"source": "/dev/video0"}
    assert {**named, "mqtt": 0, "camera": 0} == {**before, "mqtt": 0, "camera": 0}


def test_what_cannot_be_written_safely_is_refused() -> None:
    with pytest.raises(ConfigError, match="write it there yourself"):
        written('mqtt = {host = ""}\n', Given("broker"))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("a b", "letters, digits, hyphens and dots only"),
        ('x"\n[device]', "give HOST"),
        ("mqtt://broker", "without mqtt:// before it"),
        (f"me:{PASSWORD}@broker", "password_file"),
        ("box:mqtt", "give HOST, HOST:PORT or [IPv6]:PORT"),
        ("fe80::1", "give HOST"),
        ("broker:0", "give HOST"),
        ("256.1.1.1", "four numbers from 0 to 255"),
    ],
)
def test_a_broker_is_a_host(address: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        broker_at(address)
    assert reason in str(refused.value)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/dev/vidoe0", "there is no /dev/vidoe0; the cameras of this machine: "),
        ("vidoe0", "did you mean /dev/video0?"),
        ("video3", "did you mean /dev/video3?"),
        (f"rtps://me:{PASSWORD}@camera/1", "did you mean rtsp"),
        (f"rtsp:/me:{PASSWORD}@camera/1", "this is no file or folder here"),
        (f"me:{PASSWORD}@camera/1", "this is no file or folder here"),
        ("192.0.2.20", "rtsp://user:password@host/path"),
        ("clip\x1b[2J.avi", "cannot be printed"),
        ("/root", "the service does not see /root"),
    ],
)
def test_a_source_that_cannot_be_is_refused_without_its_password(source: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        source_at(source)
    assert reason in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_settings_keep_owner_mode_and_a_link_that_leads_to_them(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text('[mqtt]\nhost = ""\n')
    path.chmod(0o640)
    link = tmp_path / "tensormask.toml"
    link.symlink_to(path)
    write(link, Given("first", source=f"rtsp://me:{PASSWORD}@camera/1"))
    assert link.is_symlink()
    assert tomllib.loads(path.read_text())["mqtt"] == {"host": "first"}
    assert path.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in tmp_path.iterdir()} == {path.name, link.name}


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (Given("other"), "names broker already"),
        (Given(source="/dev/video1"), "names another one already"),
    ],
)
def test_what_somebody_has_written_is_not_overwritten(
    tmp_path: Path, given: Given, refused: str
) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(
        f'[mqtt]\nhost = "broker"\n[camera]\nsource = "rtsp://me:{PASSWORD}@camera/1"\n'
    )
    with pytest.raises(ConfigError) as error:
        refuse_another(present(path), given)
    assert refused in str(error.value)
    assert PASSWORD not in str(error.value)
    same = Given("broker", source=f"rtsp://me:{PASSWORD}@camera/1")
    refuse_another(present(path), same)
    before = path.read_text()
    write(path, same)
    assert path.read_text() == before


def test_what_nobody_has_edited_is_corrected(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(EXAMPLE)
    write(path, Given("borker", 1884, source="/srv/clip.avi", loop=True))
    write(path, Given(source="/dev/video0"))
    assert path.read_text() == written(EXAMPLE, Given("borker", 1884, source="/dev/video0"))
    # The same broker again, without its port, is the same one.
    write(path, Given("borker", source=f"rtsp://me:{PASSWORD}@camera/1"))
    write(path, Given("borker", 1885))
    write(path, Given("broker"))
    camera = f"rtsp://me:{PASSWORD}@camera/1"
    assert path.read_text() == written(EXAMPLE, Given("broker", source=camera))
    # One that somebody has edited is theirs.
    path.write_text(f"{path.read_text()}\n# mine\n")
    before = path.read_text()
    with pytest.raises(ConfigError, match=r"names broker already; change \[mqtt\] host there"):
        write(path, Given("another"))
    assert path.read_text() == before


def test_what_is_corrected_is_said_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(written(EXAMPLE, Given("borker", source=f"rtsp://me:{PASSWORD}@camera/1")))
    answer = _run("check", path, BROKER="broker", SOURCE="0")
    assert answer.stdout == "broker\n/dev/video0\n"
    assert answer.stderr == (
        "== [mqtt] host: borker is replaced, as --broker says\n"
        "== [camera] source: another one is replaced, as --source says\n"
    )


@pytest.mark.parametrize(
    ("there", "wanted", "key", "named"),
    [
        (Given("localhost"), "localhost:1884", "port", "localhost:1883"),
        (Given("localhost", 1883), "localhost:1884", "port", "localhost:1883"),
        (Given("::1", 1883), "[::1]:1884", "port", "[::1]:1883"),
        (Given("localhost", 1883), "broker:1884", "host and port", "localhost:1883"),
        (Given("localhost"), "broker:1884", "host and port", "localhost:1883"),
        (Given("localhost", 1884), "broker", "host", "localhost:1884"),
    ],
)
def test_another_broker_is_named_by_what_differs(
    tmp_path: Path, there: Given, wanted: str, key: str, named: str
) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(written(EXAMPLE, there))
    answer = _run("check", path, BROKER=wanted)
    assert answer.stderr == f"== [mqtt] {key}: {named} is replaced, as --broker says\n"
    path.write_text(f"{path.read_text()}\n# mine\n")
    answer = _run("check", path, BROKER=wanted)
    assert f"names {named} already; change [mqtt] {key} there (sudoedit {path})" in answer.stderr
    assert answer.returncode == 1


def test_the_usual_port_is_no_other_one(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    for port, tls in ((1883, "false"), (8883, "true")):
        path.write_text(f'[mqtt]\nhost = "broker"\ntls = {tls}\n')
        assert _alone("check", path, BROKER=f"broker:{port}") == f"broker:{port}\n\n"


@pytest.mark.parametrize("end", ["", "\n# mine\n"])
@pytest.mark.parametrize(("host", "named"), [("broker", "broker"), ("::1", "[::1]")])
def test_a_port_that_stays_is_said(tmp_path: Path, end: str, host: str, named: str) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(written(EXAMPLE, Given(host, 1884)) + end)
    answer = _run("check", path, BROKER=named)
    # What somebody has edited would be refused with that.
    how = f"sudoedit {path}" if end else f"--broker {named}:PORT"
    assert answer.stderr == f"== [mqtt] port stays 1884; for another: {how}\n"
    write(path, Given(host))
    assert tomllib.loads(path.read_text())["mqtt"] == {"host": host, "port": 1884}
    assert _alone("check", path, BROKER=f"{named}:1884") == f"{named}:1884\n\n"
    assert _alone("check", path, SOURCE="0") == "\n/dev/video0\n"


def test_a_port_that_was_written_before_its_broker_stays(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(EXAMPLE.replace("#port = 1883", "port = 1884"))
    assert "[mqtt] port stays 1884" in _run("check", path, BROKER="broker").stderr
    write(path, Given("broker"))
    assert tomllib.loads(path.read_text())["mqtt"] == {"host": "broker", "port": 1884}


def test_damaged_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text("[mqtt\n")
    with pytest.raises(ConfigError, match=r"tensormask\.toml cannot be read: .*line 1"):
        present(path)
    path.write_bytes("[mqtt]\n[device]\nzone = 'Eingang Süd'\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"tensormask\.toml, line 3: not in UTF-8; correct it"):
        present(path)
    # Where nothing is to be written they may be as they are.
    assert _alone("check", path) == "\n\n"


def test_what_the_settings_must_name_and_do_not(tmp_path: Path) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text(EXAMPLE)
    assert _alone("lacking", path) == "broker camera\n"
    write(path, Given("broker"))
    assert _alone("lacking", path) == "camera\n"
    write(path, Given(source="/dev/video0"))
    assert _alone("lacking", path) == "\n"


def _alone(what: str, path: Path, folder: Path = Path("/"), **given: str) -> str:
    """Return what the module prints where all is well."""
    answer = _run(what, path, folder, **given)
    assert answer.stderr == ""
    return answer.stdout


def _run(
    what: str, path: Path, folder: Path = Path("/"), **given: str
) -> subprocess.CompletedProcess[str]:
    """Run it with nothing but the system's Python, as install.sh does."""
    return subprocess.run(
        ["/usr/bin/python3", "-BPS", "-m", "deploy.first_settings", what, path],
        env={"PYTHONPATH": str(ROOT)} | given,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_only_what_is_not_known_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tensormask.toml"
    path.write_text('[mqtt]\nhost = "broker"\n')
    with (tmp_path / "typed").open("w+") as typed:
        typed.write("mqtt://x\n0\n")
        typed.seek(0)
        monkeypatch.setattr(sys, "stdin", typed)
        assert ask(present(path), Given()) == Given(source="/dev/video0")
    assert "Which MQTT broker" not in capsys.readouterr().err
    # Where both are known, standard input may be anything.
    monkeypatch.setattr(sys, "stdin", None)
    assert ask(present(path), Given(source="/dev/video1")) == Given(source="/dev/video1")


def test_it_needs_no_package_and_no_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')")
    said = _alone("check", Path("/dev/null"), tmp_path, SOURCE="0", BROKER="[::1]:1884")
    assert said == "[::1]:1884\n/dev/video0\n"
