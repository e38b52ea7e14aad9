"""What may be said to `python -m convert`: the steps and their options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convert.files import KERAS_FILE, TFLITE_FILE
from edge.detect.detectors import NAMES

OUTPUT = Path("build/model")


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
    _add_detector_steps(steps)
    return parser


def _step(steps: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = steps.add_parser(name, help=summary, description=description)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        type=Path,
        required=True,
        metavar="DIR",
        help="one folder per class: with_mask, without_mask; any picture format",
    )


def _add_boxed(parser: Any, meaning: str) -> None:
    parser.add_argument(
        "--boxed",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help=f"images/ and Pascal VOC annotations/{meaning}; may be given several times",
    )


def _add_part(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--part",
        choices=("all", "training", "validation", "test"),
        default="all",
        help="the part of the split to look at (%(default)s)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        default=OUTPUT,
        metavar="DIR",
        help="folder of all steps' files (%(default)s)",
    )


def _add_detector(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
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


def _add_train(steps: Any) -> None:
    parser = _step(
        steps,
        "train",
        "train the Keras model",
        "Fine-tune MobileNetV2 on a folder of pictures. Copies and near-copies are found first and "
        "kept in one part of the split. A run that was stopped goes on from its last epoch. Writes "
        "model.keras, history.json, history.png, report.txt, split.json, split-boxed.json, "
        "leak.json, faces.json and skipped.txt.",
    )
    _add_dataset(parser)
    _add_boxed(parser, ", to train on too")
    parser.add_argument(
        "--leave-out",
        type=Path,
        metavar="DIR",
        help="one of these folders, from which, and from whatever resembles its pictures, nothing "
        "is learnt: a model to be measured on it",
    )
    _add_output(parser)
    _add_detector(parser)
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
    parser.add_argument(
        "--epochs",
        type=_count,
        default=18,
        metavar="N",
        help="epochs that train it all (%(default)s)",
    )
    parser.add_argument(
        "--batch", type=_count, default=64, metavar="N", help="pictures per step (%(default)s)"
    )
    parser.add_argument(
        "--patience",
        type=_count,
        default=8,
        metavar="N",
        help="stop after N epochs without progress (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="of split, augmentation and weights (%(default)s)"
    )
    parser.add_argument("--fresh", action="store_true", help="start anew, whatever lies in DIR")


def _add_quantize(steps: Any) -> None:
    parser = _step(
        steps,
        "quantize",
        "make the int8 TensorFlow Lite file",
        "Convert the Keras model to int8, with int8 input and output and per-channel weights. The "
        "ranges of its tensors are measured on training pictures, as many of each class, prepared "
        "as the camera's are. A network that the edge runtime cannot run is refused. Writes "
        "model.tflite.",
    )
    _add_dataset(parser)
    _add_output(parser)
    parser.add_argument("--keras", type=Path, metavar="FILE", help=f"default: DIR/{KERAS_FILE}")
    parser.add_argument("--split", type=Path, metavar="FILE", help="default: DIR/split.json")
    parser.add_argument(
        "--pictures",
        type=_count,
        default=400,
        metavar="N",
        help="pictures to calibrate on (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="of the choice of pictures (%(default)s)"
    )


def _add_evaluate(steps: Any) -> None:
    parser = _step(
        steps,
        "evaluate",
        "measure the Keras model, the int8 file, or a bundle",
        "Score models on a folder of pictures: accuracy, balanced accuracy, precision, recall and "
        "F1 per class, the agreement of Keras and int8, and how small a face may be. The int8 file "
        "runs in the edge's own runtime. Each picture is judged twice: by its largest face, as the "
        "camera does it, and whole. Writes evaluation-PART.json and .txt, confusion-PART.png, "
        "reliability-PART.png and mistakes-PART.png. Boxed pictures are judged given their boxes, "
        "by size of face, and with --bundle end to end with each --detector. Writes "
        "boxed-PART.json and .txt, and plots and mistakes as PNG files beside it.",
    )
    pictures = parser.add_mutually_exclusive_group(required=True)
    pictures.add_argument(
        "--dataset", type=Path, metavar="DIR", help="one folder per class: with_mask, without_mask"
    )
    _add_boxed(pictures, ", scored together and each")
    _add_output(parser)
    _add_detector(parser, several=True)
    parser.add_argument(
        "--confidence",
        type=float,
        metavar="SHARE",
        help="of the faces that the detectors pass on, with --boxed; default: as the daemon's",
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a bundle's folder")
    parser.add_argument("--keras", type=Path, metavar="FILE", help="a Keras model")
    parser.add_argument(
        "--tflite", type=Path, metavar="FILE", help="an int8 file, without a bundle"
    )
    parser.add_argument(
        "--split",
        type=Path,
        metavar="FILE",
        help="the split that `train` wrote, or the held-out.json of `bundle`",
    )
    _add_part(parser)
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where the figures go; default: DIR/evaluation-PART.json",
    )


def _add_bundle(steps: Any) -> None:
    parser = _step(
        steps,
        "bundle",
        "put together the folder that the daemon loads",
        "Write model.tflite and the model.json that describes it, and load them back as the daemon "
        "does; and held-out.json, by which it can be measured again. The verdicts' thresholds come "
        "from the first evaluation of boxed pictures, else of others, which should be the "
        "validation part's. The same files make the same bundle.",
    )
    _add_output(parser)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: DIR/bundle")
    parser.add_argument("--tflite", type=Path, metavar="FILE", help=f"default: DIR/{TFLITE_FILE}")
    parser.add_argument("--split", type=Path, metavar="FILE", help="default: DIR/split.json")
    parser.add_argument(
        "--evaluation",
        type=Path,
        action="append",
        metavar="FILE",
        help="may be given several times; default: the validation part's and the test part's",
    )
    parser.add_argument(
        "--boxed-evaluation",
        type=Path,
        action="append",
        metavar="FILE",
        help="of boxed pictures, likewise; default: those parts', where they are",
    )
    parser.add_argument("--name", default="tensormask", help="of the model (%(default)s)")
    parser.add_argument(
        "--model-version", default="1", metavar="VERSION", help="of the model (%(default)s)"
    )
    parser.add_argument("--licence", default="MIT", help="of the model (%(default)s)")
    parser.add_argument(
        "--data-name",
        default="",
        metavar="NAME",
        help="of the training pictures; default: their folder's",
    )


def _add_report(steps: Any) -> None:
    parser = _step(
        steps,
        "report",
        "show in one page what the other steps have measured",
        "Write report.html: training, confusion matrices, sizes, thresholds, calibration, sources, "
        "Keras beside int8, the worst mistakes, the detector, the bundle's card. It is one file, "
        "which loads nothing and runs nothing. What has not been measured is named. The crops of "
        "mistakes show people: --no-pictures leaves them out.",
    )
    _add_output(parser)
    parser.add_argument(
        "--figures",
        type=Path,
        action="append",
        metavar="DIR",
        help="where the other steps have written; may be given several times, of each file the "
        "first is taken (default: --output)",
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: DIR/bundle")
    parser.add_argument("--detector-bundle", type=Path, metavar="DIR", help="default: DIR/detector")
    parser.add_argument("--no-pictures", action="store_true", help="name the mistakes, show nobody")


def _add_detector_steps(steps: Any) -> None:
    parser = _step(
        steps,
        "detector",
        "train, measure and pack the face detector",
        "Train a face detector of YuNet's architecture, starting from YuNet's weights, measure it, "
        "and put together the folder that the daemon loads.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="STEP")
    train = _step(
        actions,
        "train",
        "train it on boxed pictures",
        "Cut pieces out of the pictures at random sizes, put them together, and train the network "
        "to find the faces in them; YuNet itself teaches where nobody has labelled anything. The "
        "parts are those of the classifier's training in the same DIR. A run that was stopped goes "
        "on from where it was. Writes detector.onnx, detector-history.json and finds.json.",
    )
    _add_dataset(train)
    _add_boxed(train, "")
    _add_output(train)
    train.add_argument(
        "--start", type=Path, metavar="FILE", help="an ONNX file of YuNet's; default: the fetched"
    )
    train.add_argument(
        "--former",
        type=Path,
        metavar="FILE",
        help="a detector.onnx to go on from, with other pictures or settings; --start teaches",
    )
    train.add_argument(
        "--weights",
        default="imagenet",
        metavar="imagenet|none|FILE",
        help="by which near-duplicates are found, if not done yet (%(default)s)",
    )
    train.add_argument(
        "--steps", type=_count, default=8000, metavar="N", help="batches to learn (%(default)s)"
    )
    train.add_argument(
        "--batch", type=_count, default=16, metavar="N", help="scenes in each (%(default)s)"
    )
    train.add_argument(
        "--rate", type=float, default=1e-3, help="highest learning rate (%(default)s)"
    )
    train.add_argument(
        "--seed", type=int, default=7, help="of split, scenes and order (%(default)s)"
    )
    train.add_argument("--fresh", action="store_true", help="start anew, whatever lies in DIR")

    evaluate = _step(
        actions,
        "evaluate",
        "measure detectors on boxed pictures",
        "Count which labelled faces are found, by kind and size, where each detector leaves as "
        "many finds without a label. Writes detector-PART.json and .txt, and for each set and "
        "detector a picture of its surest finds without a label.",
    )
    _add_boxed(evaluate, "")
    _add_output(evaluate)
    evaluate.add_argument(
        "--detector",
        action="append",
        metavar="NAME|FILE",
        help=f"{', '.join(NAMES)}, or an ONNX file of YuNet's architecture; once or several times "
        "(default: DIR/detector.onnx)",
    )
    evaluate.add_argument(
        "--split", type=Path, metavar="FILE", help="default: DIR/split-boxed.json"
    )
    _add_part(evaluate)

    bundle = _step(
        actions,
        "bundle",
        "put together the folder that the daemon loads",
        "Write detector.onnx and the detector.json that describes it, and load them back as the "
        "daemon does. The same files make the same folder.",
    )
    _add_output(bundle)
    bundle.add_argument("--bundle", type=Path, metavar="DIR", help="default: DIR/detector")
    bundle.add_argument("--network", type=Path, metavar="FILE", help="default: DIR/detector.onnx")
    bundle.add_argument(
        "--evaluation", type=Path, metavar="FILE", help="default: DIR/detector-test.json"
    )
    bundle.add_argument(
        "--confidence", type=float, required=True, help="from this score on it is a face"
    )
    bundle.add_argument(
        "--sure", type=float, required=True, help="from this score on a track may begin with it"
    )
    bundle.add_argument(
        "--model-version", default="1", metavar="VERSION", help="of the detector (%(default)s)"
    )
    bundle.add_argument("--licence", default="MIT", help="of the detector (%(default)s)")
    bundle.add_argument("--data-name", default="", metavar="NAME", help="of the training pictures")
