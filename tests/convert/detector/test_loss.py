from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convert.detector.loss import _assign, _ciou, cells_of, decode, detector_loss
from convert.detector.sampling import Batch

SIDE_PX = 96
CELLS = cells_of(SIDE_PX, SIDE_PX)


def answers(fill: float = 0.0) -> dict[str, Any]:
    """What a network that knows nothing says: every cell a box of one stride around its corner."""
    count = len(CELLS.x)
    return {
        "cls": np.full((1, count), fill, np.float32),
        "obj": np.full((1, count), fill, np.float32),
        "bbox": np.zeros((1, count, 4), np.float32),
    }


def batch(*faces: tuple[float, float, float, float]) -> tuple[Any, Any]:
    padded = np.zeros((1, 4, 4), np.float32)
    is_face = np.zeros((1, 4), np.bool_)
    padded[0, : len(faces)] = np.array(faces, np.float32).reshape(-1, 4)
    is_face[0, : len(faces)] = True
    return padded, is_face


NOTHING = np.zeros((1, 4, 4), np.float32)


def test_cells_and_boxes_are_those_of_opencv() -> None:
    """12 x 12, 6 x 6 and 3 x 3 cells; a box's center is counted from its cell's corner."""
    assert len(CELLS.x) == 144 + 36 + 9
    assert (CELLS.x[13], CELLS.y[13], CELLS.stride[13]) == (8, 8, 8)
    given = answers()["bbox"]
    given[0, 13] = [0.5, 1.0, np.log(2), np.log(3)]
    assert np.asarray(decode(CELLS, given))[0, 13] == pytest.approx([4, 4, 20, 28])


def test_the_cells_that_answer_lie_in_or_around_their_face() -> None:
    faces, is_face = batch((10, 10, 30, 34), (60, 50, 80, 70))
    given = answers()
    chosen, owner, overlap = (
        np.asarray(each)
        for each in _assign(CELLS, given, decode(CELLS, given["bbox"]), faces, is_face)
    )
    own = np.flatnonzero(chosen[0])
    assert {0, 1} == set(owner[0][own])
    for cell in own:
        left, top, right, bottom = faces[0, owner[0, cell]]
        half = CELLS.stride[cell] / 2
        assert left < CELLS.x[cell] + half < right
        assert top < CELLS.y[cell] + half < bottom
    assert (overlap[0][chosen[0] == 0] == 0).all()


def test_without_a_face_no_cell_answers() -> None:
    faces, is_face = batch()
    given = answers()
    chosen, *_ = _assign(CELLS, given, decode(CELLS, given["bbox"]), faces, is_face)
    assert not np.asarray(chosen).any()


def test_the_overlap_falls_with_distance_and_shape() -> None:
    box = np.array([10, 10, 30, 30], np.float32)
    same, aside, flat = (
        float(_ciou(np.array(other, np.float32), box))
        for other in ([10, 10, 30, 30], [14, 10, 34, 30], [10, 15, 30, 25])
    )
    assert same == pytest.approx(1, abs=1e-4)
    assert 0 < aside < same
    assert flat < 0.5, "half the area, and another shape"
    assert float(_ciou(np.array([50, 50, 70, 70], np.float32), box)) < 0


def scenes(faces: Any, doubtful: Any = NOTHING, nothing: Any = NOTHING) -> Batch:
    padded, is_face = faces
    pixels = np.zeros((1, SIDE_PX, SIDE_PX, 3), np.uint8)
    return Batch(pixels, padded, is_face, doubtful, nothing)


def loss(
    given: Any, taught: Any, faces: Any, doubtful: Any = NOTHING, nothing: Any = NOTHING
) -> Any:
    total, parts = detector_loss(CELLS, given, taught, scenes(faces, doubtful, nothing))
    return float(total), np.asarray(parts)


def test_a_certain_find_where_nothing_is_costs_but_not_where_it_is_in_doubt() -> None:
    taught, given = answers(-8.0), answers(-8.0)
    given["obj"][0, 13] = 6.0
    _, (_, found, _) = loss(given, taught, batch())
    _, (_, quiet, _) = loss(answers(-8.0), taught, batch())
    assert found > quiet + 5
    open_ = NOTHING.copy()
    open_[0, 0] = [4, 4, 24, 24]
    _, (_, in_doubt, _) = loss(given, taught, batch(), open_)
    assert in_doubt == pytest.approx(quiet, abs=0.1)


def test_what_the_teacher_takes_for_a_face_is_left_alone_unless_a_label_is_near() -> None:
    taught, given = answers(-8.0), answers(-8.0)
    for each in (taught, given):
        each["cls"][0, 13] = each["obj"][0, 13] = 6.0
    _, (_, followed, _) = loss(given, taught, batch())
    _, (_, quiet, _) = loss(answers(-8.0), answers(-8.0), batch())
    assert followed == pytest.approx(quiet, abs=0.1)
    no_face = NOTHING.copy()
    no_face[0, 0] = [4, 4, 24, 24]
    _, (_, corrected, _) = loss(given, taught, batch(), nothing=no_face)
    assert corrected > quiet + 5, "unless somebody has said that it is none"


def test_a_labelled_face_is_to_be_as_sure_as_the_teacher_is_of_it() -> None:
    """Also in a cell that is not the one that answers for it."""
    faces = batch((10, 12, 34, 40))
    given, taught = answers(-8.0), answers(-8.0)
    # The teacher's box is the face's, and belongs to a cell at the edge of it.
    taught["bbox"][0, 25] = [(22 - 8) / 8, (26 - 16) / 8, np.log(24 / 8), np.log(28 / 8)]
    _, (class_before, object_before, _) = loss(given, taught, faces)
    taught["cls"][0, 25] = taught["obj"][0, 25] = 3.0
    _, (class_after, object_after, _) = loss(given, taught, faces)
    assert class_after > class_before
    assert object_after >= object_before
    given["cls"][0, 25] = given["obj"][0, 25] = 3.0
    _, (class_learned, object_learned, _) = loss(given, taught, faces)
    assert class_learned < class_after
    assert object_learned < object_after


def test_what_is_labelled_as_no_face_costs_more_and_its_class_as_well() -> None:
    taught, given = answers(-8.0), answers(-8.0)
    given["cls"][0, 13] = given["obj"][0, 13] = 6.0
    _, (class_open, object_open, _) = loss(given, taught, batch())
    no_face = NOTHING.copy()
    no_face[0, 0] = [4, 4, 24, 24]
    _, (class_said, object_said, _) = loss(given, taught, batch(), nothing=no_face)
    assert class_open == 0
    assert class_said > 5
    assert object_said > 2 * object_open


def test_steps_along_the_gradient_learn_a_face() -> None:
    import tensorflow as tf

    faces = batch((10, 12, 34, 40))
    variables = {name: tf.Variable(value) for name, value in answers(-2.0).items()}
    taught = answers(-8.0)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step() -> Any:
        with tf.GradientTape() as tape:
            total, _ = detector_loss(CELLS, variables, taught, scenes(faces))
        gradients = tape.gradient(total, list(variables.values()))
        for variable, gradient in zip(variables.values(), gradients, strict=True):
            variable.assign_sub(0.2 * gradient)
        return total

    totals = [float(step()) for _ in range(400)]
    assert totals[-1] < 0.4 * totals[0]
    best = int((variables["cls"] + variables["obj"]).numpy()[0].argmax())
    box = np.asarray(decode(CELLS, variables["bbox"]))[0, best]
    assert box == pytest.approx([10, 12, 34, 40], abs=4)
