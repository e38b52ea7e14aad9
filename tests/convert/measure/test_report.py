from __future__ import annotations

import msgspec

from convert.measure.figures import (
    Agreement,
    Band,
    BoxedEvaluation,
    EndToEndScore,
    Evaluation,
    Score,
    SizeScore,
    TraitScore,
    TrueBoxScore,
    ViewKind,
)
from convert.measure.metrics import Interval, ThresholdChoice
from convert.measure.report import describe, describe_boxed

CHOICE = ThresholdChoice(0.8, 0.4, "for a reason")
EVALUATION = Evaluation(
    data="faces",
    part="test",
    pictures=8,
    skipped=1,
    data_digest="",
    detector="yunet",
    faces_located=7,
    runtime="keras",
    accuracy=0.75,
    balanced_accuracy=0.7,
    agreement_with_keras=None,
    scores=[Score("keras", ViewKind.CAMERA, 8, 0.75, 0.7, {}, [])],
    agreements=[Agreement(ViewKind.WHOLE, 0.875)],
    sizes=[SizeScore("keras", 24.0, 6, 0.5, 0.6)],
    thresholds=None,
    calibration_error=0.1,
    reliability=[],
    curve=[],
)
BOXED = BoxedEvaluation(
    data="street",
    part="all",
    pictures=3,
    skipped=0,
    runtime="keras",
    threshold=0.8,
    min_iou=0.4,
    accuracy=0.5,
    faces=4,
    per_class={},
    confusion={},
    agreement_with_keras=None,
    true_boxes=[
        TrueBoxScore("int8", Band(12, 16), 2, 1, Interval(0.5, 0.25, 1), None, None, 3, 1, 2, 0, 1)
    ],
    by_set={},
    traits=[],
    end_to_end=[],
    calibration_error=0.1,
    reliability=[],
    curve=[],
    thresholds=CHOICE,
)


def test_a_report_has_the_table_of_each_score() -> None:
    assert describe(EVALUATION, ["the table\n"]).splitlines() == [
        "faces, test: 8 pictures (1 files skipped), faces located by yunet in 7; keras; "
        "calibration error 0.1000",
        "",
        "keras, camera view: accuracy 0.7500, balanced 0.7000",
        "",
        "the table",
        "",
        "agreement of keras and int8, whole view: 0.8750",
        "keras, faces shrunk to 24 px: accuracy 0.5000, balanced 0.6000 (6 pictures)",
    ]


def test_a_figure_without_faces_is_a_dash() -> None:
    row = describe_boxed(BOXED).splitlines()[5]
    assert " ".join(row.split()) == "int8 12-16 px 2 1 0.500 (0.250-1.000) - - 1, 2 of 3 1, 0"


def test_traits_are_reported_where_they_are_known() -> None:
    known = [TraitScore("int8", "hat", "without_mask", 12, 10, 10)]
    lines = describe_boxed(msgspec.structs.replace(BOXED, traits=known)).splitlines()
    assert " ".join(lines[8].split()) == "int8 hat without_mask 10 of 12, 10"


def test_end_to_end_is_reported_where_it_was_measured() -> None:
    assert "end to end" not in describe_boxed(BOXED)
    measured = EndToEndScore(
        detector="yunet",
        confidence=0.78,
        band=Band(16, None),
        masked_faces=9,
        masked_found=8,
        bare_faces=7,
        bare_found=6,
        violations=5,
        violations_on_bare=3,
        violations_on_masked=2,
        violations_on_nothing=0,
        precision=None,
        recall=Interval(0.5, 0.25, 1),
        incorrect_found=4,
        incorrect_called_bare=1,
        curve=[],
    )
    lines = describe_boxed(msgspec.structs.replace(BOXED, end_to_end=[measured])).splitlines()
    assert lines[7].startswith(
        "end to end, violations at 0.8 and above, boxes matched from IoU 0.4"
    )
    assert " ".join(lines[9].split()) == (
        "yunet 0.78 >= 16 px 8 of 9 6 of 7 - 0.500 (0.250-1.000) 3, 2, 0 1 of 4"
    )


def test_the_thresholds_come_last() -> None:
    assert describe_boxed(BOXED).endswith("\nthresholds: bare 0.8, masked 0.4; for a reason\n")
