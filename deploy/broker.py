"""Names the broker in settings that name none: install.sh --broker.

python -m deploy.broker SETTINGS HOST[:PORT]
"""

# ruff: noqa: T201 - a command line module
from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path

from edge.config import broker_at
from edge.errors import ConfigError, TensorMaskError

NONE = 'host = ""\n'


def main(path: Path, address: str) -> None:
    text = path.read_text()
    if NONE not in text:
        print(f"== {path} names a broker already and is left as it is")
        return
    named = with_broker(text, address)
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(named)
    shutil.copymode(path, new)
    os.chown(new, path.stat().st_uid, path.stat().st_gid)
    new.replace(path)


def with_broker(text: str, address: str) -> str:
    """Return the settings with the broker that `broker_at` reads out of `address`.

    Raises ConfigError where that would change anything else.
    """
    mqtt = broker_at(address)
    given = {"host": mqtt.host} | ({"port": mqtt.port} if mqtt.port else {})
    lines = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in given.items())
    named = text.replace(NONE, lines, 1)
    try:
        wanted = tomllib.loads(text)
        wanted["mqtt"] |= given
        if tomllib.loads(named) == wanted:
            return named
    except (KeyError, ValueError):
        pass
    raise ConfigError(
        f"{address} could not be written below [mqtt]; name the broker there yourself"
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except TensorMaskError as error:
        sys.exit(f"deploy/install.sh: {error}")
