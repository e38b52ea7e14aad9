"""Broker and camera for the settings: as install.sh is given them, or as somebody answers it.

python -m deploy.first_settings check|ask|write|lacking SETTINGS

What is given is in the environment, BROKER and SOURCE, since an argument is seen by every user of
the machine; empty: not given. `check` and `ask` print it, a line each, in its exact form. Where the
settings name another one already, that is corrected as long as nobody but this has written them.
Needs nothing but Python: it runs before there is any package.
"""

# ruff: noqa: T201 - a command line module
from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.cameras import cameras, has_pi_camera, is_pi
from edge.address import (
    DeviceSource,
    FileSource,
    bracketed,
    did_you_mean,
    holds_password,
    host_and_port,
    host_in,
    mqtt_port,
    nearest_source,
    source_in,
)
from edge.durable import sync_folder
from edge.errors import ConfigError
from edge.installed import hiding

EXAMPLE = Path(__file__).with_name("tensormask.toml")
"""What settings begin as."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the settings are to say; None: nothing about it."""

    host: str | None = None
    port: int | None = None
    source: str | None = None
    loop: bool | None = None
    """Over and over: a clip, which a service would come to the end of."""

    @property
    def keys(self) -> dict[tuple[str, str], str | int]:
        """Return section and key of each, with its value."""
        every = {
            ("mqtt", "host"): self.host,
            ("mqtt", "port"): self.port,
            ("camera", "source"): self.source,
            ("camera", "loop"): self.loop,
        }
        return {key: value for key, value in every.items() if value is not None}

    def over(self, there: Given) -> Given:
        """Return what the settings are to say that say `there` now: a port is that of its host,
        and only a clip is played over and over."""
        is_same_broker = self.host is None or there.host in (None, self.host)
        port = self.port or (there.port if is_same_broker else None)
        camera = there if self.source in (None, there.source) else self
        return Given(self.host or there.host, port, camera.source, camera.loop)


def given(environment: dict[str, str]) -> Given:
    """Return what is given. Raises ConfigError, which never repeats a password."""
    broker, source = environment.get("BROKER", ""), environment.get("SOURCE", "")
    option = "--broker"
    try:
        found = broker_at(broker) if broker else Given()
        option = "--source"
        camera = source_at(source) if source else Given()
        return replace(found, source=camera.source, loop=camera.loop)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None


def broker_at(text: str) -> Given:
    """Read HOST, HOST:PORT or [IPv6]:PORT. Raises ConfigError."""
    wanted = "give HOST, HOST:PORT or [IPv6]:PORT"
    if "@" in text:
        raise ConfigError(
            f"{wanted}, without user and password: these go into the settings, "
            "[mqtt] username and password_file"
        )
    if "://" in text:
        raise ConfigError(f"{wanted}, without mqtt:// before it and without a path")
    place = host_and_port(text.strip())
    if place is None:
        raise ConfigError(wanted)
    try:
        return Given(host_in(place[0]), place[1])
    except ValueError as error:
        raise ConfigError(f"{wanted}: {error}") from None


def source_at(text: str) -> Given:
    """Read a number, a device, an address, a clip or a folder. Raises ConfigError."""
    text = text.strip()
    if not text.isprintable():
        raise ConfigError("it has a character that cannot be printed")
    try:
        meant = source_in(text)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("[camera] source: ")) from None
    match meant:
        case DeviceSource(path):
            devices = [str(each) for each in Path("/dev").glob("video*")]
            if not path.exists() and not re.fullmatch(r"/dev/(video\d+|v4l/.+)", str(path)):
                raise ConfigError(
                    f"there is no {path}; the cameras of this machine: "
                    f"{', '.join(sorted(devices)) or 'none'}{did_you_mean(str(path), devices)}"
                )
            return Given(source=str(path))
        case FileSource(file):
            return Given(source=_file_at(file), loop=True)
        case _:
            return Given(source=text)


def _file_at(text: str) -> str:
    path = Path(text).absolute()
    if holds_password(text) or not path.exists():
        shown = "this" if holds_password(text) else text
        raise ConfigError(
            f"{shown} is no file or folder here; give a camera's number or device such as "
            "/dev/video0, rtsp://user:password@host/path, picamera2, or a clip"
            f"{nearest_source(text)}"
        )
    path = path.resolve()
    if hidden := hiding(path):
        raise ConfigError(
            f"the service does not see {hidden}: sudo mv {text} /srv/, and give /srv/{path.name}"
        )
    return str(path)


@dataclass(frozen=True, slots=True)
class Present:
    """What the settings say already."""

    path: Path
    text: str
    tables: dict[str, dict[str, object]]

    @property
    def broker(self) -> str:
        return str(self._at("mqtt", "host") or "")

    @property
    def source(self) -> str:
        return str(self._at("camera", "source") or "")

    @property
    def unedited(self) -> Given | None:
        """What this wrote into the example; None: anything else has changed there, too."""
        port, loop = self._at("mqtt", "port"), self._at("camera", "loop")
        given = Given(
            self.broker or None,
            port if isinstance(port, int) else None,
            self.source or None,
            loop if isinstance(loop, bool) else None,
        )
        try:
            return given if written(EXAMPLE.read_text(), given) == self.text else None
        except ConfigError:
            return None

    def others(self, wanted: Given) -> Iterator[tuple[str, str, str]]:
        """Yield option, key and value of what they name in place of what is wanted."""
        written = self._at("mqtt", "port")
        port = written or mqtt_port(tls=self._at("mqtt", "tls") is True)
        differs = {
            "host": self.broker != wanted.host,
            "port": wanted.port not in (None, port),
        }
        keys = " and ".join(key for key, is_other in differs.items() if is_other)
        if wanted.host and self.broker and keys:
            is_port_shown = written is not None or differs["port"]
            named = f"{bracketed(self.broker)}:{port}" if is_port_shown else self.broker
            yield "--broker", f"[mqtt] {keys}", named
        if wanted.source and self.source not in ("", wanted.source):
            shown = "another one" if holds_password(self.source) else self.source
            yield "--source", "[camera] source", shown

    def kept_port(self, wanted: Given) -> object:
        """Return the port that they name and that stays, where a broker is given without one."""
        stays = wanted.host and wanted.port is None and self.broker in ("", wanted.host)
        return self._at("mqtt", "port") if stays else None

    def _at(self, section: str, key: str) -> object:
        return self.tables.get(section, {}).get(key)


def present(path: Path) -> Present:
    """Read the settings; none yet are empty ones. Raises ConfigError where they are damaged."""
    content = b""
    try:
        content = path.read_bytes() if path.exists() else b""
        text = content.decode("utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not in UTF-8; correct it first") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; correct it first") from error
    several = tables.get("camera")
    if isinstance(several, list) and several:  # [[camera]]: one is named, so none is asked for
        tables["camera"] = several[0]
    sections = {name: each for name, each in tables.items() if isinstance(each, dict)}
    return Present(path, text, sections)


def refuse_another(now: Present, wanted: Given) -> None:
    """Raise ConfigError where somebody has written another broker or camera into the settings."""
    for option, key, there in now.others(wanted):
        if now.unedited is None:
            raise ConfigError(
                f"{option}: nothing is changed: {now.path} names {there} already; change {key} "
                f"there (sudoedit {now.path}), and leave {option} out"
            )


def written(text: str, wanted: Given) -> str:
    """Return the settings with what is wanted, each in the line where the example has its key.

    Raises ConfigError where that would change anything else.
    """
    expected = tomllib.loads(text)
    changed = text
    try:
        for (section, key), value in wanted.keys.items():
            table = expected.setdefault(section, {})
            if table.get(key) != value:
                table[key] = value
                changed = _with(changed, section, key, value)
        if tomllib.loads(changed) == expected:
            return changed
    except (AttributeError, TypeError, ValueError):
        pass
    named = " and ".join(f"[{section}] {key}" for section, key in wanted.keys)
    raise ConfigError(f"{named} could not be written into the settings; write it there yourself")


def _with(text: str, section: str, key: str, value: str | int) -> str:
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    header = re.search(rf"^\[{section}\][ \t\r]*(#.*)?$", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n[{section}]\n{line}\n".lstrip("\n")
    end = re.search(r"^\[", text[header.end() :], re.MULTILINE)
    body = text[header.end() :][: end.start() if end else None]
    rest = text[header.end() + len(body) :]
    for there in (rf'^[ \t]*{key}[ \t]*=[ \t]*""[ \t\r]*$', rf"^#{key}[ \t]*=.*$"):
        if re.search(there, body, re.MULTILINE):
            body = re.sub(there, lambda _: line, body, count=1, flags=re.MULTILINE)
            break
    else:
        body = f"\n{line}{body}"
    return text[: header.end()] + body + rest


def write(path: Path, wanted: Given) -> None:
    """Write what is wanted into the settings, whose owner and mode stay. Raises ConfigError."""
    path = path.resolve()
    now = present(path)
    there = now.unedited
    if there is None:
        refuse_another(now, wanted)
        changed = written(now.text, wanted)
    else:
        changed = written(EXAMPLE.read_text(), wanted.over(there))
    if changed == now.text:
        return
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    # It may hold a password, and is nobody's to read before it has the owner of the other.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(changed)
        file.flush()
        os.fsync(file.fileno())
    os.chown(fresh, path.stat().st_uid, path.stat().st_gid)
    shutil.copymode(path, fresh)
    fresh.replace(path)
    sync_folder(path.parent)


def lacking(path: Path) -> list[str]:
    """Return which of "broker" and "camera" the settings must name and do not.

    A Pi needs no name: its own camera is the default.
    """
    now = present(path)
    needs_camera = not now.source and not is_pi() and importlib.util.find_spec("picamera2") is None
    needs = {"broker": not now.broker, "camera": needs_camera}
    return [name for name, is_lacking in needs.items() if is_lacking]


def ask(now: Present, wanted: Given) -> Given:
    """Ask for what is neither given nor in the settings; an empty answer leaves it for later."""
    if wanted.source is None and not now.source and not has_pi_camera():
        found = cameras()
        _say("Which camera?" if found else "Which camera? None is connected to this machine.")
        for device, name in found.items():
            _say(f"  {device.name.removeprefix('video')}  {name} ({device})")
        later = "the Pi's own, once it is connected" if is_pi() else "later"
        prompt = f"number, rtsp://user:password@host/path, or clip (Enter: {later}): "
        camera = _answer(prompt, source_at)
        wanted = replace(wanted, source=camera.source, loop=camera.loop)
    if wanted.host is None and not now.broker:
        prompt = "Which MQTT broker? name or address (Enter: later): "
        broker = _answer(prompt, broker_at)
        wanted = replace(wanted, host=broker.host, port=broker.port)
    return wanted


def _answer(prompt: str, read: Callable[[str], Given]) -> Given:
    while True:
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            return Given()
        try:
            return read(line)
        except ConfigError as error:
            _say(f"{error}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def main(what: str, path: Path) -> None:
    wanted = given(dict(os.environ))
    if what == "lacking":
        print(*lacking(path))
    elif what == "write":
        write(path, wanted)
    else:
        answered = wanted
        # Damaged settings are no reason not to prepare a release.
        if what == "ask" or wanted != Given():
            now = present(path)
            refuse_another(now, wanted)
            for option, key, there in now.others(wanted):
                _say(f"== {key}: {there} is replaced, as {option} says")
            answered = ask(now, wanted) if what == "ask" else wanted
            if port := now.kept_port(answered):
                option = f"--broker {bracketed(answered.host or '')}:PORT"
                how = f"sudoedit {now.path}" if now.unedited is None else option
                _say(f"== [mqtt] port stays {port}; for another: {how}")
        port = f":{answered.port}" if answered.port else ""
        print(f"{bracketed(answered.host or '')}{port}")
        print(answered.source or "")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except ConfigError as error:
        sys.exit(f"deploy/install.sh: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
