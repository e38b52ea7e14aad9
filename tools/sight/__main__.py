# ruff: noqa: T201 - a command line module
"""Whether the proof of sight notices damage: `make sight BOXED=folder:folder`.

First, what each level of ten kinds of damage costs on real faces of boxed pictures that training
has not seen. Then trials: a picture is a camera's scene, learned in several lights. Each trial is
another light (clouds, lamps, tint), with people who walk by, and either the mildest damage that
costs more than 10 points of recall, or none. A condition needs two proofs in a row, as in service.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2

from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.config.seeing import ClassifierSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.rates import exact_interval
from edge.sight.proof import ProofEyes
from edge.words import percent
from tools.sight.damage import MILDEST
from tools.sight.faces import WIDTH_PX, RealRecall, costs, scenes_of
from tools.sight.trials import UNDAMAGED, SightTrial, run_trials

WEAK = "dirt"


def print_table(trials: Sequence[SightTrial]) -> None:
    """Print in how many trials the condition was raised, between which limits its share lies with
    95 % certainty (Clopper and Pearson), and with which causes."""
    by_kind: dict[str, list[SightTrial]] = defaultdict(list)
    for each in trials:
        by_kind[each.kind].append(each)
        if each.kind != UNDAMAGED:
            by_kind["any damage"].append(each)
    for kind, alike in by_kind.items():
        causes = [each.cause for each in alike if each.cause]
        named = ", ".join(f"{cause} {causes.count(cause)}" for cause in sorted(set(causes)))
        low, high = exact_interval(len(causes), len(alike))
        level = f"{alike[0].level:g}" if len({each.level for each in alike}) == 1 else ""
        limits = f"{percent(low)} to {percent(high)}"
        print(f"{kind:14} {level:>5} {len(causes):5} of {len(alike):5}  {limits:20} {named}")
    clean = by_kind[UNDAMAGED]
    once = sum(len(each.proofs) > 1 for each in clean)
    print(f"{once} of {len(clean)} undamaged trials had a first proof that was worse than normal")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", required=True, metavar="FOLDER")
    parser.add_argument(
        "--real",
        type=int,
        default=40,
        help="pictures of each set with real faces; 0: the levels of an earlier run",
    )
    parser.add_argument("--scenes", type=int, default=14, help="scenes of each set")
    parser.add_argument("--skip", type=int, default=20, help="scenes that the rule was made with")
    parser.add_argument("--clean", type=int, default=24, help="undamaged trials of each scene")
    parser.add_argument("--damaged", type=int, default=1, help="trials of each kind and scene")
    parser.add_argument("--dirt", type=int, help="the same of dirt, which is missed most")
    parser.add_argument("--results", type=Path, help="file of the trials, to go on after a stop")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector, bundle = open_detector(), load_bundle()
    levels = dict(MILDEST)
    if options.real:
        real = RealRecall(
            FaceDetection(detector, DetectorSettings()),
            MaskClassifier(bundle, ClassifierSettings(threads=1)),
        )
        levels = costs(real, scenes_of(options.boxed, options.real, is_wide=False))
    plan = {UNDAMAGED: (0.0, options.clean)}
    plan |= {kind: (level, options.damaged) for kind, level in levels.items()}
    if options.dirt is not None:
        plan[WEAK] = (levels[WEAK], options.dirt)
    judge = MaskClassifier(bundle, ClassifierSettings(threads=1, min_face_px=8))
    eyes = ProofEyes(detector, judge, lambda frame: WIDTH_PX / max(frame.width, frame.height), 8)
    scenes = scenes_of(options.boxed, options.scenes, is_wide=True, skip=options.skip)
    trials: list[SightTrial] = []
    for trial in run_trials(scenes, eyes, plan, options.results):
        if bool(trial.cause) is (trial.kind == UNDAMAGED):
            said = trial.text or "not noticed"
            print(f"scene {trial.scene}, {trial.kind} {trial.level:g}: {said}", flush=True)
        if trials and trials[-1].scene != trial.scene:
            print(f"scene {trial.scene} of {len(scenes)}", file=sys.stderr, flush=True)
        trials.append(trial)
    print_table(trials)
    return 0


if __name__ == "__main__":
    sys.exit(main())
