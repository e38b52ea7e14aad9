"""`tensormask models`: another model, without another release.

To try one takes OpenCV and the runtime, which `edge.commands.releases` does without.
"""

from __future__ import annotations

import argparse
import http.client
from pathlib import Path

import msgspec

from edge.classify.card import load_bundle
from edge.commands.options import add_again, add_config, add_json
from edge.commands.output import print_document
from edge.commands.parser import Parser, add_action
from edge.commands.progress import progress
from edge.commands.releases import activate, open_switch, roll_back, said_in_use
from edge.detect import detectors, weights
from edge.errors import ModelError
from edge.installed import Slot, activated
from edge.release import models

# ruff: noqa: T201 - a command's output


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
    """Where its files are, or what is wrong and how to fix it."""


class Models(msgspec.Struct, frozen=True):
    """What `tensormask models list --json` says."""

    bundle: BundleHere
    detectors: tuple[DetectorHere, ...]


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "tensormask models")
    add_json(parser)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = "The detectors and the bundle that can be used."
    add_json(add_action(actions, "list", _list, text, "tensormask models list --json"))
    text = "Download a detector's weights, checked by sha256."
    fetch = add_action(actions, "fetch", _fetch, text, "sudo tensormask models fetch yunet")
    fetch.add_argument("name", choices=sorted(detectors.DETECTORS))
    text = "Put a bundle or detector of an archive beside the others, once it has been tried."
    installing = add_action(
        actions,
        "install",
        _install,
        text,
        "sudo tensormask models install https://models.example/tensormask-4.zip --sha256 DIGEST",
    )
    installing.add_argument("source", metavar="FILE|URL")
    installing.add_argument("--sha256", required=True, help="of the archive", metavar="DIGEST")
    add_config(installing)
    text = "Use an installed model. The device undoes one that does worse than the one before."
    example = "sudo tensormask models activate tensormask-4"
    activating = add_action(actions, "activate", _activate, text, example)
    activating.add_argument("name", metavar="MODEL")
    add_again(activating)
    add_config(activating)
    text = "Go back at once to the model that was used before."
    example = "sudo tensormask models rollback bundle"
    back = add_action(actions, "rollback", _rollback, text, example)
    back.add_argument("kind", choices=["bundle", "detector"])
    add_config(back)
    text = "A bundle's description, a JSON document."
    show = add_action(actions, "show", _show, text, "tensormask models show")
    show.add_argument("bundle", nargs="?", default="", metavar="FOLDER")


def _list(options: argparse.Namespace) -> int:
    here = models_here()
    if options.json:
        print_document(here)
        return 0
    bundle = here.bundle
    print(f"bundle   {bundle.name} {bundle.version}, {bundle.folder or 'comes with the program'}")
    for each in here.detectors:
        print(f"{each.name:<8} {each.licence}, {each.origin}: {each.state}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    print(weights.fetch(detectors.DETECTORS[options.name].weights, print, progress))
    return 0


def _install(options: argparse.Namespace) -> int:
    slot, name = install_model(options.config, options.source, options.sha256)
    print(f"{slot} {name} is installed; use it: sudo tensormask models activate {name}")
    return 0


def _activate(options: argparse.Namespace) -> int:
    on_trial = activate_model(options.config, options.name, again=options.again)
    print(said_in_use(options.config, options.name, on_trial=on_trial))
    return 0


def _rollback(options: argparse.Namespace) -> int:
    name = roll_back(options.config, Slot(options.kind))
    print(f"{name or f'the {options.kind} of the release'} is in use")
    return 0


def _show(options: argparse.Namespace) -> int:
    card = load_bundle(options.bundle).card
    print_document(card)
    return 0


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
