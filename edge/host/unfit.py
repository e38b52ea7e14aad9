"""Settings that would do for a user, but not for the service under systemd.

`ProtectHome=` and `PrivateTmp=` hide files from it, which then look as if they were forbidden or
missing; and when a source ends, systemd would restart the service in a loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.address import FileSource, StreamSource, source_in
from edge.config import CREDENTIAL, DEFAULT_PATH, CameraSettings, Section, Settings
from edge.errors import ConfigError
from edge.files import is_there
from edge.installed import hiding, is_started_by_systemd

_KEYS = (
    *("password_file", "ca_file", "certificate_file", "key_file"),
    *("url_file", "secret_file", "token_file"),
)


def refuse_unfit(settings: Settings) -> None:
    """Raise ConfigError where this is the service, and a file is hidden or the source ends."""
    if is_started_by_systemd():
        _refuse_hidden(settings)
        for camera in settings.each_camera:
            _refuse_ending(camera, settings.section_of(camera))


def _refuse_hidden(settings: Settings) -> None:
    for key, name in _named(settings):
        path = Path(name)
        folder = hiding(path)
        if folder is not None and not is_there(path):
            # Not the service's own folder: `uninstall.sh --purge` removes what is there.
            place = DEFAULT_PATH.parent if key.endswith("_file") else Path("/srv")
            raise ConfigError(
                f"{key}: the service does not see {folder}: sudo mv {path} {place}/, "
                f"and write {place}/{path.name}"
            )


def _refuse_ending(camera: CameraSettings, section: str) -> None:
    if camera.loop:
        return
    if isinstance(source_in(camera.source), FileSource) and is_there(Path(camera.source)):
        raise ConfigError(
            f"{section} source: a clip or folder comes to its end, and the service with it; set "
            "loop = true, which plays it in a loop"
        )


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the key of each file that is named and read, and the file."""
    read: list[tuple[str, Section]] = [("[mqtt]", settings.mqtt)]
    for camera in settings.each_camera:
        source, section = source_in(camera.source), settings.section_of(camera)
        if isinstance(source, FileSource):
            yield f"{section} source", camera.source
        if isinstance(source, StreamSource) and source.is_encrypted:
            read.append((section, camera))
    if settings.page.enabled:
        read.append(("[page]", settings.page))
    if settings.sign.enabled:
        read.append(("[sign]", settings.sign))
    if settings.metrics.enabled:
        read.append(("[metrics]", settings.metrics))
    read += [(f"[[notify]] {target.name}", target) for target in settings.notify]
    for section, names in read:
        for key in _KEYS:
            name = getattr(names, key, "")
            if name and not name.startswith(CREDENTIAL):
                yield f"{section} {key}", name
    if settings.classifier.bundle:
        yield "[classifier] bundle", settings.classifier.bundle
    if settings.detector.model:
        yield "[detector] model", settings.detector.model
