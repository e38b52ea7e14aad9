"""`python -m convert`: from a folder of pictures to the bundle that the daemon loads.

Every step reads files and writes files; nothing else passes between them.
"""
# ruff: noqa: T201  (a command line prints)

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from convert.arguments import build_parser
from convert.files import (
    BOXED_SPLIT_FILE,
    DETECTOR_FILE,
    HISTORY_FILE,
    KERAS_FILE,
    REPORT_FILE,
    SPLIT_FILE,
    TFLITE_FILE,
)
from edge.errors import MissingPackageError, TensorMaskError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Options = TypeVar("_Options", bound="DataclassInstance")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; return the exit status."""
    options = build_parser().parse_args(arguments)
    try:
        STEPS[options.step](options)
    except TensorMaskError as error:
        print(f"convert {options.step}: {error}", file=sys.stderr)
        return error.exit_status
    except ModuleNotFoundError as error:
        remedy = "pip install -r requirements-dev.txt"
        print(f"convert {options.step}: {error.name} is missing: {remedy}", file=sys.stderr)
        return MissingPackageError.exit_status
    except OSError as error:
        print(f"convert {options.step}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"convert {options.step}: stopped", file=sys.stderr)
        return 130
    return 0


def _train(options: Namespace) -> None:
    from convert.train.train import TrainOptions, train

    named = {"left_out": options.leave_out, "side_px": options.input_side}
    train(_filled(TrainOptions, options, **named), bar, say)


def _quantize(options: Namespace) -> None:
    from convert.export.quantize import QuantizeOptions, quantize

    keras = options.keras or options.output / KERAS_FILE
    split = options.split or options.output / SPLIT_FILE
    quantize(_filled(QuantizeOptions, options, keras=keras, split=split), bar, say)


def _evaluate(options: Namespace) -> None:
    from convert.measure.boxed import evaluate_boxed
    from convert.measure.evaluate import evaluate
    from convert.measure.subject import EvaluateOptions

    run = evaluate_boxed if options.boxed else evaluate
    detectors = tuple(options.detector or ("auto",))
    run(_filled(EvaluateOptions, options, detectors=detectors), bar, say)


def _bundle(options: Namespace) -> None:
    from convert.export.bundle import BundleOptions, bundle

    output: Path = options.output
    parts = ("validation", "test")
    wanted = _filled(
        BundleOptions,
        options,
        bundle=options.bundle or output / "bundle",
        tflite=options.tflite or output / TFLITE_FILE,
        split=options.split or output / SPLIT_FILE,
        history=output / HISTORY_FILE,
        evaluations=tuple(
            options.evaluation or (output / f"evaluation-{part}.json" for part in parts)
        ),
        boxed_evaluations=tuple(
            options.boxed_evaluation or _present(output / f"boxed-{part}.json" for part in parts)
        ),
        boxed_split=next(_present([output / BOXED_SPLIT_FILE]), None),
        version=options.model_version,
    )
    bundle(wanted, say)


def _report(options: Namespace) -> None:
    from convert.report.report import ReportOptions, report

    output: Path = options.output
    wanted = ReportOptions(
        folders=tuple(options.figures or [output]),
        bundle=options.bundle or output / "bundle",
        detector=options.detector_bundle or output / "detector",
        page=output / REPORT_FILE,
        crops=not options.no_pictures,
    )
    report(wanted, say)


def _detector(options: Namespace) -> None:
    steps = {
        "train": _train_detector,
        "evaluate": _evaluate_detectors,
        "bundle": _bundle_detector,
    }
    steps[options.action](options)


def _train_detector(options: Namespace) -> None:
    from convert.detector.train import DetectorTrainOptions, train_detector

    train_detector(_filled(DetectorTrainOptions, options), bar, say)


def _evaluate_detectors(options: Namespace) -> None:
    from convert.detector.evaluate import DetectorEvaluateOptions, evaluate_detectors

    detectors = tuple(options.detector or [str(options.output / DETECTOR_FILE)])
    split = options.split or options.output / BOXED_SPLIT_FILE
    wanted = _filled(DetectorEvaluateOptions, options, detectors=detectors, split=split)
    evaluate_detectors(wanted, bar, say)


def _bundle_detector(options: Namespace) -> None:
    from convert.detector.bundle import DetectorBundleOptions, bundle_detector
    from convert.detector.train import HISTORY_FILE as DETECTOR_HISTORY_FILE

    output: Path = options.output
    wanted = _filled(
        DetectorBundleOptions,
        options,
        network=options.network or output / DETECTOR_FILE,
        history=output / DETECTOR_HISTORY_FILE,
        evaluation=options.evaluation or output / "detector-test.json",
        bundle=options.bundle or output / "detector",
        version=options.model_version,
    )
    bundle_detector(wanted, say)


def _filled(kind: type[_Options], given: Namespace, **others: object) -> _Options:
    """Return a step's options: `others`, and of the rest what is given by the same names."""
    names = {each.name for each in fields(kind)} - others.keys()
    values = {name: getattr(given, name) for name in names}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return kind(**(values | lists | others))


def _present(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.exists())


STEPS = {
    "train": _train,
    "quantize": _quantize,
    "evaluate": _evaluate,
    "bundle": _bundle,
    "report": _report,
    "detector": _detector,
}


def bar(items: Iterable[Any], name: str) -> Iterable[Any]:
    """Show progress on stderr; a log file gets a line now and then instead of a drawing."""
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    progress: Iterable[Any] = tqdm(
        items, desc=name, mininterval=30 if quiet else 0.1, leave=True, dynamic_ncols=True
    )
    return progress


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
