"""Options that several commands take, and values that are read in one way."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import msgspec

from edge.address import FileSource, holds_password, source_in
from edge.config import DEFAULT_PATH, DetectorSettings, MqttSettings, Settings, load_settings
from edge.detect.detectors import NAMES
from edge.errors import ConfigError
from edge.plan import PLANS


def add_config(parser: argparse.ArgumentParser, default: Path | str = DEFAULT_PATH) -> None:
    parser.add_argument(
        "--config", type=Path, default=default, help=f"default {DEFAULT_PATH}", metavar="FILE"
    )


def add_configs(actions: Any) -> None:
    """Take --config behind each action too, and not undo what was given before it."""
    for action in actions.choices.values():
        add_config(action, argparse.SUPPRESS)


def add_json(parser: argparse.ArgumentParser, text: str = "one JSON document") -> None:
    """Without a default here, or an action's would undo what was given before it."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help=f"print {text}"
    )


def add_again(parser: argparse.ArgumentParser) -> None:
    text = "even if it was tried before and undone"
    parser.add_argument("--again", action="store_true", help=text)


def add_judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        help="use the settings of this file (default: the defaults)",
        metavar="FILE",
    )
    parser.add_argument("--detector", choices=NAMES)
    parser.add_argument("--detector-model", metavar="FILE", help="the detector's weights")
    parser.add_argument("--bundle", metavar="FOLDER", help="the mask classifier's bundle")
    parser.add_argument(
        "--plan", choices=PLANS, help="how closely to look (default: the settings' plan, or usual)"
    )


def judging(options: argparse.Namespace, source: str, fps: float | None = None) -> Settings:
    """Return the settings of a command that needs no broker: the file's or the defaults.

    Raises ConfigError, also where the source is a file or folder that is not there.
    """
    _refuse_absent(source)
    replace = msgspec.structs.replace
    if options.config:
        settings = load_settings(options.config)
        settings = settings.of(settings.each_camera[0])
    else:
        settings = Settings(mqtt=MqttSettings(host="localhost"))
    camera = replace(
        settings.camera,
        source=source,
        realtime=False,
        loop=False,
        fps=fps or settings.camera.fps,
    )
    detector: DetectorSettings = replace(
        settings.detector,
        name=options.detector or settings.detector.name,
        model=options.detector_model or settings.detector.model,
        plan=options.plan or settings.detector.plan,
    )
    classifier = replace(settings.classifier, bundle=options.bundle or settings.classifier.bundle)
    return replace(settings, camera=camera, detector=detector, classifier=classifier)


def _refuse_absent(source: str) -> None:
    """Raise ConfigError in the words of somebody who has given an argument, and no settings."""
    wanted = "give a clip or a folder of pictures"
    shown = "what is given" if holds_password(source) else source
    try:
        path = Path(source).expanduser()
        if isinstance(source_in(source), FileSource) and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{shown} is no file or folder here; {wanted}")
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("[camera] source: ")) from None
    except (OSError, RuntimeError) as error:  # forbidden; a user who is nobody
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{shown}: {reason}; {wanted}") from None


def whole(text: str, least: int, most: int) -> int:
    """Read a whole number. ArgumentTypeError, a line of argparse's own, for anything else."""
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)
