"""What may be said to `python -m convert`: the steps and their options."""

from __future__ import annotations

import argparse
from typing import Any

from convert.detector.arguments import add_detector_steps
from convert.files import KERAS_FILE, TFLITE_FILE
from convert.options import (
    OUTPUT,
    add_boxed,
    add_card,
    add_count,
    add_dataset,
    add_detector,
    add_fresh,
    add_held_out,
    add_output,
    add_part,
    add_path,
    add_seed,
    step,
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert",
        description="Train a mask classifier, make it an int8 TensorFlow Lite file, measure both, "
        "and put together the bundle that the daemon loads. The steps pass files in one folder "
        f"({OUTPUT}) and are run in the order train, quantize, evaluate, bundle, report. "
        "`detector` has such steps of its own.",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_train(steps)
    _add_quantize(steps)
    _add_evaluate(steps)
    _add_bundle(steps)
    _add_report(steps)
    add_detector_steps(steps)
    return parser


def _add_train(steps: Any) -> None:
    parser = step(
        steps,
        "train",
        "train the Keras model",
        "Fine-tune MobileNetV2 on a folder of pictures. Copies and near-copies are found first and "
        "kept in one part of the split. A stopped run goes on from its last epoch. Writes "
        "model.keras, history.json, history.png, report.txt, split.json, split-boxed.json, "
        "leak.json, faces.json and skipped.txt.",
    )
    add_dataset(parser)
    add_boxed(parser, ", to train on too")
    add_path(
        parser,
        "--leave-out",
        "one of these folders, which is left out of the training, and so are similar "
        "pictures: for a model to be measured on it",
        "DIR",
    )
    add_output(parser)
    add_detector(parser)
    parser.add_argument(
        "--weights",
        default="imagenet",
        metavar="imagenet|none|FILE",
        help="starting weights: Keras's download (the default), none, or a .weights.h5 file",
    )
    parser.add_argument(
        "--input-side",
        type=int,
        default=96,
        metavar="PX",
        help="side of the network's input, 32 to 224 (%(default)s)",
    )
    parser.add_argument(
        "--width", type=float, default=1.0, help="MobileNetV2's width multiplier (%(default)s)"
    )
    parser.add_argument(
        "--frozen-epochs",
        type=int,
        default=1,
        metavar="N",
        help="epochs that train the head alone (%(default)s)",
    )
    add_count(parser, "--epochs", 18, "epochs that train it all")
    add_count(parser, "--batch", 64, "pictures per step")
    add_count(parser, "--patience", 8, "stop after N epochs without progress")
    add_seed(parser, "split, augmentation and weights")
    add_held_out(parser)
    add_fresh(parser)


def _add_quantize(steps: Any) -> None:
    parser = step(
        steps,
        "quantize",
        "make the int8 TensorFlow Lite file",
        "Convert the Keras model to int8, with int8 input and output and per-channel weights. The "
        "ranges of its tensors are measured on training pictures, as many of each class, prepared "
        "as the camera's are. A network that the edge runtime cannot run is rejected. Writes "
        "model.tflite.",
    )
    add_dataset(parser)
    add_output(parser)
    add_path(parser, "--keras", f"default: DIR/{KERAS_FILE}")
    add_path(parser, "--split", "default: DIR/split.json")
    add_count(parser, "--pictures", 400, "pictures to calibrate on")
    add_seed(parser, "the choice of pictures")


def _add_evaluate(steps: Any) -> None:
    parser = step(
        steps,
        "evaluate",
        "measure the Keras model, the int8 file, or a bundle",
        "Score models on a folder of pictures: accuracy, balanced accuracy, precision, recall and "
        "F1 per class, the agreement of Keras and int8, and how small a face may be. The int8 file "
        "runs in the edge's own runtime. Each picture is judged twice: by its largest face, as by "
        "the camera, and whole. Writes evaluation-PART.json and .txt, confusion-PART.png, "
        "reliability-PART.png and mistakes-PART.png. Boxed pictures are judged given their boxes, "
        "by size of face, and with --bundle end to end with each --detector. Writes "
        "boxed-PART.json and .txt, and plots and mistakes as PNG files beside it.",
    )
    pictures = parser.add_mutually_exclusive_group(required=True)
    add_path(pictures, "--dataset", "one folder per class: with_mask, without_mask", "DIR")
    add_boxed(pictures, ", scored together and each")
    add_output(parser)
    add_detector(parser, several=True)
    parser.add_argument(
        "--confidence",
        type=float,
        metavar="SHARE",
        help="of the faces that the detectors pass on, with --boxed; default: as the daemon's",
    )
    add_path(parser, "--bundle", "a bundle's folder", "DIR")
    add_path(parser, "--keras", "a Keras model")
    add_path(parser, "--tflite", "an int8 file, without a bundle")
    add_path(parser, "--split", "the split that `train` wrote, or the held-out.json of `bundle`")
    add_part(parser)
    add_path(parser, "--json", "where the figures go; default: DIR/evaluation-PART.json")


def _add_bundle(steps: Any) -> None:
    parser = step(
        steps,
        "bundle",
        "put together the folder that the daemon loads",
        "Write model.tflite and the model.json that describes it, and load them back as the daemon "
        "does; and held-out.json, by which it can be measured again. The verdicts' thresholds come "
        "from the first evaluation of boxed pictures, else of others, which should be the "
        "validation part's. The same files make the same bundle.",
    )
    add_output(parser)
    add_path(parser, "--bundle", "default: DIR/bundle", "DIR")
    add_path(parser, "--tflite", f"default: DIR/{TFLITE_FILE}")
    add_path(parser, "--split", "default: DIR/split.json")
    add_path(
        parser,
        "--evaluation",
        "may be given several times; default: the validation part's and the test part's",
        several=True,
    )
    add_path(
        parser,
        "--boxed-evaluation",
        "of boxed pictures, likewise; default: those parts', where they are",
        several=True,
    )
    parser.add_argument("--name", default="tensormask", help="of the model (%(default)s)")
    add_card(parser, "model")
    parser.add_argument(
        "--data-name",
        default="",
        metavar="NAME",
        help="of the training pictures; default: their folder's",
    )
    parser.add_argument(
        "--somebody",
        type=float,
        metavar="SHARE",
        help="from which score times probability of somebody on a detection is a face: chosen by "
        "`evaluate --boxed --bundle`; default: what the detector is sure of",
    )


def _add_report(steps: Any) -> None:
    parser = step(
        steps,
        "report",
        "show in one page what the other steps have measured",
        "Write report.html: training, confusion matrices, sizes, thresholds, calibration, sources, "
        "Keras beside int8, the worst mistakes, the detector, the bundle's card. It is one file, "
        "which loads nothing and runs nothing. What has not been measured is listed. The crops of "
        "mistakes show people: --no-pictures leaves them out.",
    )
    add_output(parser)
    add_path(
        parser,
        "--figures",
        "where the other steps have written; may be given several times, of each file the "
        "first is taken (default: --output)",
        "DIR",
        several=True,
    )
    add_path(parser, "--bundle", "default: DIR/bundle", "DIR")
    add_path(parser, "--detector-bundle", "default: DIR/detector", "DIR")
    parser.add_argument("--no-pictures", action="store_true", help="show no pictures of mistakes")
