"""`tensormask models install` and `activate`: another model, without another release.

Apart from `edge.app.releases`, since to try a model takes OpenCV and the runtime, which whatever
looks after a trial does without.
"""

from __future__ import annotations

import http.client
from pathlib import Path

import msgspec

from edge.app.progress import progress
from edge.app.releases import activate, open_switch
from edge.classify.card import load_bundle
from edge.detect import detectors, weights
from edge.errors import ModelError
from edge.installed import Slot, activated
from edge.release import models


class BundleHere(msgspec.Struct, frozen=True):
    name: str
    version: str
    folder: str | None
    """None: it comes with the program."""


class DetectorHere(msgspec.Struct, frozen=True):
    name: str
    licence: str
    origin: str
    state: str
    """Where its files are, or what is wrong and what mends it."""


class Models(msgspec.Struct, frozen=True):
    """What `tensormask models list --json` says."""

    bundle: BundleHere
    detectors: tuple[DetectorHere, ...]


def models_here() -> Models:
    """Return the detectors and the bundle that can be used. Raises ModelError: it cannot."""
    card, in_use = load_bundle().card, activated(Slot.BUNDLE)
    return Models(
        BundleHere(card.name, card.version, None if in_use is None else str(in_use.resolve())),
        tuple(
            DetectorHere(
                known.name,
                known.weights.licence,
                known.weights.origin,
                weights.state(known.weights),
            )
            for known in detectors.in_use().values()
        ),
    )


def install_model(config: Path, source: str, sha256: str) -> tuple[Slot, str]:
    """Put a model beside the others; return its slot and name. Raises ConfigError, ModelError."""
    switch = open_switch(config)
    is_url = "://" in source
    try:
        content = (
            weights.download(source, models.MAX_BYTES, progress)
            if is_url
            else Path(source).read_bytes()
        )
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{source}: {reason}") from error
    if len(content) > models.MAX_BYTES:
        raise ModelError(f"{source}: larger than {models.MAX_BYTES // 2**20} MB: no model")
    slot, name = models.install(switch.store, content, sha256, source)
    switch.prune({name})
    return slot, name


def activate_model(config: Path, name: str, *, again: bool) -> bool:
    """Have another model used; return whether it is on trial. Raises ConfigError, ModelError."""
    slot = models.slot_of(open_switch(config).store, name)
    return activate(config, slot, name, again=again)
