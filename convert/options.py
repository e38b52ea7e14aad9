"""Options that several steps of `python -m convert` have."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.detect.detectors import NAMES

OUTPUT = Path("build/model")


def step(steps: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = steps.add_parser(name, help=summary, description=description)
    return parser


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def add_path(
    parser: Any, name: str, meaning: str, kind: str = "FILE", *, several: bool = False
) -> None:
    """`kind`: FILE or DIR."""
    action = "append" if several else "store"
    parser.add_argument(name, type=Path, action=action, metavar=kind, help=meaning)


def add_count(parser: argparse.ArgumentParser, name: str, default: int, meaning: str) -> None:
    """A number from 1 on."""
    text = f"{meaning} (%(default)s)"
    parser.add_argument(name, type=count, default=default, metavar="N", help=text)


def add_seed(parser: argparse.ArgumentParser, drawn: str) -> None:
    """`drawn`: what is random."""
    parser.add_argument("--seed", type=int, default=7, help=f"of {drawn} (%(default)s)")


def add_fresh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fresh", action="store_true", help="start over, whatever is in DIR")


def add_held_out(parser: argparse.ArgumentParser) -> None:
    add_path(
        parser,
        "--held-out",
        "the held-out.json of an earlier `bundle`: its pictures stay in their parts, and what was "
        "trained on stays in training",
    )


def add_card(parser: argparse.ArgumentParser, what: str) -> None:
    """What the card of a model or detector says."""
    version = f"of the {what} (%(default)s)"
    parser.add_argument("--model-version", default="1", metavar="VERSION", help=version)
    parser.add_argument("--licence", default="MIT", help=version)


def add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        type=Path,
        required=True,
        metavar="DIR",
        help="one folder per class: with_mask, without_mask; any picture format",
    )


def add_boxed(parser: Any, meaning: str) -> None:
    parser.add_argument(
        "--boxed",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=f"images/ and Pascal VOC annotations/{meaning}; may be given several times",
    )


def add_part(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--part",
        choices=("all", "training", "validation", "test"),
        default="all",
        help="the part of the split to use (%(default)s)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        default=OUTPUT,
        metavar="DIR",
        help="folder of all steps' files (%(default)s)",
    )


def add_detector(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    parser.add_argument(
        "--detector",
        choices=(*NAMES, "none"),
        action="append" if several else "store",
        default=None if several else "auto",
        help="what locates the faces; auto (the default): the first of these that is here"
        + ("; may be given several times" if several else ""),
    )
    parser.add_argument(
        "--detector-model",
        default="",
        metavar="FILE",
        help="the detector's weights, if not installed",
    )
