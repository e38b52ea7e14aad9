"""The steps of `python -m convert detector` and their options."""

from __future__ import annotations

from typing import Any

from convert.options import (
    add_boxed,
    add_card,
    add_count,
    add_dataset,
    add_fresh,
    add_held_out,
    add_output,
    add_part,
    add_path,
    add_seed,
    step,
)
from edge.detect.detectors import NAMES


def add_detector_steps(steps: Any) -> None:
    parser = step(
        steps,
        "detector",
        "train, measure and pack the face detector",
        "Train a face detector of YuNet's architecture, starting from YuNet's weights, measure it, "
        "and put together the folder that the daemon loads.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="STEP")
    _add_train(actions)
    _add_evaluate(actions)
    _add_bundle(actions)


def _add_train(actions: Any) -> None:
    parser = step(
        actions,
        "train",
        "train it on boxed pictures",
        "Cut pieces out of the pictures at random sizes, put them together, and train the network "
        "to find the faces in them; where nothing is labeled, YuNet itself is the teacher. The "
        "parts are those of the classifier's training in the same DIR. A stopped run goes on from "
        "where it stopped. Writes detector.onnx, detector-history.json and finds.json.",
    )
    add_dataset(parser)
    add_boxed(parser, "")
    add_output(parser)
    add_path(parser, "--start", "an ONNX file of YuNet's; default: the fetched")
    add_path(
        parser,
        "--former",
        "a detector.onnx to continue from, with other pictures or settings; --start teaches",
    )
    parser.add_argument(
        "--weights",
        default="imagenet",
        metavar="imagenet|none|FILE",
        help="used to find near-duplicates, if not done yet (%(default)s)",
    )
    add_count(parser, "--steps", 8000, "batches to learn")
    add_count(parser, "--batch", 16, "scenes in each")
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="highest learning rate (%(default)s)"
    )
    add_seed(parser, "split, scenes and order")
    add_held_out(parser)
    add_fresh(parser)


def _add_evaluate(actions: Any) -> None:
    parser = step(
        actions,
        "evaluate",
        "measure detectors on boxed pictures",
        "Count which labeled faces are found, by kind and size, where each detector makes as many "
        "detections without a label. Writes detector-PART.json and .txt, and for each set and "
        "detector a picture of its most confident detections without a label.",
    )
    add_boxed(parser, "")
    add_output(parser)
    parser.add_argument(
        "--detector",
        action="append",
        metavar="NAME|FILE",
        help=f"{', '.join(NAMES)}, or an ONNX file of YuNet's architecture; once or several times "
        "(default: DIR/detector.onnx)",
    )
    add_path(parser, "--split", "default: DIR/split-boxed.json")
    add_part(parser)


def _add_bundle(actions: Any) -> None:
    parser = step(
        actions,
        "bundle",
        "put together the folder that the daemon loads",
        "Write detector.onnx and the detector.json that describes it, and load them back as the "
        "daemon does. The same files make the same folder.",
    )
    add_output(parser)
    add_path(parser, "--bundle", "default: DIR/detector", "DIR")
    add_path(parser, "--network", "default: DIR/detector.onnx")
    add_path(parser, "--evaluation", "default: DIR/detector-test.json")
    parser.add_argument("--confidence", type=float, required=True, help="a face from this score on")
    parser.add_argument(
        "--sure", type=float, required=True, help="sure enough to begin a track from this score on"
    )
    add_card(parser, "detector")
    parser.add_argument("--data-name", default="", metavar="NAME", help="of the training pictures")
