"""`tensormask models install` and `activate`: another model, without another release.

Apart from `edge.app.releases`, since to try a model takes OpenCV and the runtime, which whatever
looks after a trial does without.
"""

from __future__ import annotations

import http.client
from pathlib import Path

from edge.app.releases import activate, open_switch, store
from edge.detect import weights
from edge.errors import ModelError
from edge.installed import Slot
from edge.release import models


def install_model(config: Path, source: str, sha256: str) -> tuple[Slot, str]:
    """Put a model beside the others; return its slot and name. Raises ConfigError, ModelError."""
    switch = open_switch(config)
    is_url = "://" in source
    try:
        content = (
            weights.download(source, models.MAX_BYTES) if is_url else Path(source).read_bytes()
        )
    except (OSError, http.client.HTTPException) as error:
        raise ModelError(f"{source}: {error}") from error
    if len(content) > models.MAX_BYTES:
        raise ModelError(f"{source}: larger than {models.MAX_BYTES // 2**20} MB: no model")
    slot, name = models.install(switch.store, content, sha256, source)
    switch.prune({name})
    return slot, name


def activate_model(config: Path, name: str, *, again: bool) -> bool:
    """Have another model used; return whether it is on trial. Raises ConfigError, ModelError."""
    return activate(config, models.slot_of(store(), name), name, again=again)
