"""What the running service was started with, beside what the settings say now."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from edge.address import DeviceSource, PiSource, StreamSource, bracketed, holds_password, source_in
from edge.config import CREDENTIAL, Settings
from edge.software import InUse


def in_use(settings: Settings, file: Path, written_ns: int) -> InUse:
    """Return what everybody may know of the settings that were read from `file`.

    `written_ns` is `written_at(file)` from before they were read.
    """
    return InUse(
        device_id=settings.device.id,
        site=settings.device.site,
        zone=settings.device.zone,
        source=public_sources(settings),
        broker=broker_name(settings),
        settings=_name(file),
        settings_written_ns=written_ns,
        broker_settings=broker_digest(settings),
    )


def public_sources(settings: Settings) -> str:
    """Return what `source` of each camera names, as `public_source` does."""
    return ", ".join(public_source(each.source) for each in settings.each_camera)


def public_source(source: str) -> str:
    """Return what `[camera] source` names, without user, password and path of a stream."""
    match source_in(source):
        case PiSource(number):
            return f"picamera2:{number}"
        case DeviceSource(path):
            return str(path)
        case StreamSource() as stream:
            return stream.name
        case _:
            return "a file" if holds_password(source) else source


def broker_name(settings: Settings) -> str:
    return f"{bracketed(settings.mqtt.host)}:{settings.mqtt.broker_port}"


def broker_digest(settings: Settings) -> str:
    """Return what changes with anything that a connection to the broker is made with.

    Of secrets only when their files were written; of those that systemd gives, not even that.
    """
    mqtt = settings.mqtt
    written = [written_at(Path(f)) for f in mqtt.files if f and not f.startswith(CREDENTIAL)]
    what = (mqtt, settings.device.id, bool(settings.commands.allowed), written)
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()


def is_same_broker(used: InUse | None, settings: Settings) -> bool:
    """Return whether the service connects as these settings say.

    One of an older version, which says less, is compared by the broker's name.
    """
    if used is None:
        return False
    if not used.broker_settings:
        return (used.broker, used.device_id) == (broker_name(settings), settings.device.id)
    return used.broker_settings == broker_digest(settings)


def written_at(file: Path) -> int:
    """Return when the file was written, in ns since 1970; 0 where that is unknown."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _name(file: Path) -> str:
    # A name that is no text could not be written as JSON.
    return str(file.absolute()).encode(errors="replace").decode()


def is_started_with(used: InUse, file: Path) -> bool:
    """Return whether `file` is what the service was started with."""
    return used.settings == _name(file)


def has_changed(used: InUse | None, file: Path) -> bool:
    """Return whether `file` is what the service was started with, and was written since.

    False where that is unknown: for an ordinary user, of an older version.
    """
    now_ns = written_at(file)
    return (
        used is not None
        and is_started_with(used, file)
        and 0 not in (now_ns, used.settings_written_ns)
        and now_ns != used.settings_written_ns
    )
