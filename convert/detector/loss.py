"""What training pulls at: which cells answer for which face, and how wrong they are.

The assignment is SimOTA (Ge et al., YOLOX, 2021), as YuNet was trained with (Wu et al., 2023); the
box's loss is CIoU (Zheng et al., 2020); class and objectness are cross-entropies, the class's
target the overlap that its box has. Another detector teaches: what it says of a labeled face is the
least that is asked, where nobody has labeled anything its objectness is the target, and what it is
in doubt about is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.detector.graph import STRIDES
from convert.detector.sampling import Batch
from convert.detector.scenes import SAME_FACE_IOU

CENTRE_RADIUS = 2.5
"""Cells whose center is this many strides from a face's may answer for it."""
CANDIDATES = 10
"""The overlaps of this many cells say how many answer for a face."""
IOU_COST = 3.0
OUTSIDE_COST = 1e5
BOX_WEIGHT = 5.0
MISTAKEN_WEIGHT = 3.0
"""How much more it costs to call something a face that is labeled as none."""
CALLED_FACE = 0.5
"""From this score on the teacher's find is a doubtful face: nothing is asked there."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The anchors of pictures of one size."""

    x: NDArray[np.float32]
    """(anchors,) pixels."""
    y: NDArray[np.float32]
    stride: NDArray[np.float32]


def cells_of(height: int, width: int) -> Cells:
    """Return the anchors of a picture; both sides are multiples of 32."""
    rows = []
    for stride in STRIDES:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride]
        rows.append(np.stack([x.ravel() * stride, y.ravel() * stride, np.full(x.size, stride)]))
    x, y, strides = np.concatenate(rows, 1).astype(np.float32)
    return Cells(x, y, strides)


def decode(cells: Cells, answers: Any) -> Any:
    """Return the boxes (n, anchors, 4) as left, top, right, bottom in pixels.

    The way of OpenCV's FaceDetectorYN: center and logarithm of the size in strides.
    """
    import tensorflow as tf

    x = cells.x + answers[..., 0] * cells.stride
    y = cells.y + answers[..., 1] * cells.stride
    half_width = tf.exp(tf.minimum(answers[..., 2], 8.0)) * cells.stride / 2
    half_height = tf.exp(tf.minimum(answers[..., 3], 8.0)) * cells.stride / 2
    return tf.stack([x - half_width, y - half_height, x + half_width, y + half_height], -1)


def detector_loss(cells: Cells, answers: Any, taught: Any, batch: Batch) -> tuple[Any, Any]:
    """Return the loss of a batch, and its three parts (3,): class, objectness, box.

    `answers` and `taught` are those of the network and of its teacher, the batch's arrays tensors.
    """
    import tensorflow as tf

    boxes = decode(cells, answers["bbox"])
    chosen, owner, overlap = _assign(cells, answers, boxes, batch.faces, batch.is_face)
    positives = tf.maximum(tf.reduce_sum(chosen), 1.0)
    own = tf.gather(batch.faces, owner, batch_dims=1)
    teacher_class, teacher_object = tf.sigmoid(taught["cls"]), tf.sigmoid(taught["obj"])
    # What the teacher says of a labeled face is the least that is to be said of it.
    agrees = _agrees(decode(cells, taught["bbox"]), batch.faces)
    least_class, least_object = agrees * teacher_class, agrees * teacher_object
    on_face = _covered(cells, batch.faces)
    mistaken = _covered(cells, batch.nothing) * (1 - on_face) * (1 - chosen)

    entropy = tf.nn.sigmoid_cross_entropy_with_logits
    target = tf.stop_gradient(tf.maximum(overlap, least_class))
    # Elsewhere the class is not asked, but where a sure mistake is called a face.
    weight = tf.maximum(chosen, agrees * tf.sqrt(least_class * least_object))
    weight += mistaken * tf.stop_gradient(tf.sigmoid(answers["obj"]))
    of_class = tf.reduce_sum(weight * entropy(target, answers["cls"])) / positives

    in_doubt = _covered(cells, batch.doubtful)
    called = tf.sqrt(teacher_class * teacher_object) >= CALLED_FACE
    known = tf.maximum(on_face, _covered(cells, batch.nothing))
    # Where something is known that decides, elsewhere what the teacher takes for a face is open.
    asked = chosen + (1 - chosen) * (1 - in_doubt) * (1 - tf.cast(called, tf.float32) * (1 - known))
    asked *= 1 + (MISTAKEN_WEIGHT - 1) * mistaken
    wanted = tf.maximum(chosen, tf.maximum((1 - known) * teacher_object, least_object))
    of_object = tf.reduce_sum(asked * entropy(tf.stop_gradient(wanted), answers["obj"])) / positives

    of_box = BOX_WEIGHT * tf.reduce_sum(chosen * (1 - _ciou(boxes, own))) / positives
    return of_class + of_object + of_box, tf.stack([of_class, of_object, of_box])


def _assign(
    cells: Cells, answers: Any, boxes: Any, faces: Any, is_face: Any
) -> tuple[Any, Any, Any]:
    """Return which cells answer (n, anchors), for which face, and with what overlap."""
    import tensorflow as tf

    centre_x = (cells.x + cells.stride / 2)[None, :, None]
    centre_y = (cells.y + cells.stride / 2)[None, :, None]
    # (n, anchors, most)
    left, top, right, bottom = (faces[:, None, :, side] for side in range(4))
    in_box = (centre_x > left) & (centre_x < right) & (centre_y > top) & (centre_y < bottom)
    radius = (CENTRE_RADIUS * cells.stride)[None, :, None]
    in_centre = (tf.abs(centre_x - (left + right) / 2) < radius) & (
        tf.abs(centre_y - (top + bottom) / 2) < radius
    )
    possible = (in_box | in_centre) & is_face[:, None, :]
    overlap = _iou(boxes[:, :, None, :], faces[:, None, :, :]) * tf.cast(possible, tf.float32)
    likely = tf.sqrt(tf.sigmoid(answers["cls"]) * tf.sigmoid(answers["obj"]))[:, :, None]
    cost = (
        -tf.math.log(tf.clip_by_value(likely, 1e-6, 1.0))
        - IOU_COST * tf.math.log(overlap + 1e-8)
        + OUTSIDE_COST * tf.cast(~(in_box & in_centre), tf.float32)
        + 1e9 * tf.cast(~possible, tf.float32)
    )
    by_face = tf.transpose(cost, (0, 2, 1))
    best, _ = tf.math.top_k(-by_face, CANDIDATES)
    largest, _ = tf.math.top_k(tf.transpose(overlap, (0, 2, 1)), CANDIDATES)
    count = tf.clip_by_value(tf.cast(tf.reduce_sum(largest, -1), tf.int32), 1, CANDIDATES)
    limit = -tf.gather(best, count - 1, batch_dims=2)
    taken = (cost <= limit[:, None, :]) & possible
    # A cell that two faces want is the cheaper one's.
    owner = tf.argmin(tf.where(taken, cost, 1e10), -1, output_type=tf.int32)
    chosen = tf.cast(tf.reduce_any(taken, -1), tf.float32)
    own_overlap = tf.gather(overlap, owner, batch_dims=2) * chosen
    return tuple(tf.stop_gradient(each) for each in (chosen, owner, own_overlap))


def _covered(cells: Cells, boxes: Any) -> Any:
    """Return (n, anchors): 1 where the cell's center lies in one of the boxes."""
    import tensorflow as tf

    x = (cells.x + cells.stride / 2)[None, :, None]
    y = (cells.y + cells.stride / 2)[None, :, None]
    left, top, right, bottom = (boxes[:, None, :, side] for side in range(4))
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    return tf.cast(tf.reduce_any(inside, -1), tf.float32)


def _agrees(boxes: Any, faces: Any) -> Any:
    """Return (n, anchors): 1 where the box shows one of the faces (n, most, 4)."""
    import tensorflow as tf

    overlap = tf.reduce_max(_iou(boxes[:, :, None, :], faces[:, None, :, :]), -1)
    return tf.cast(overlap > SAME_FACE_IOU, tf.float32)


def _iou(one: Any, other: Any) -> Any:
    import tensorflow as tf

    width = tf.minimum(one[..., 2], other[..., 2]) - tf.maximum(one[..., 0], other[..., 0])
    height = tf.minimum(one[..., 3], other[..., 3]) - tf.maximum(one[..., 1], other[..., 1])
    shared = tf.maximum(width, 0.0) * tf.maximum(height, 0.0)
    return shared / tf.maximum(_area(one) + _area(other) - shared, 1e-6)


def _area(boxes: Any) -> Any:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _ciou(one: Any, other: Any) -> Any:
    """Return the overlap less what the boxes differ in place and in shape."""
    import tensorflow as tf

    iou = _iou(one, other)
    hull_width = tf.maximum(one[..., 2], other[..., 2]) - tf.minimum(one[..., 0], other[..., 0])
    hull_height = tf.maximum(one[..., 3], other[..., 3]) - tf.minimum(one[..., 1], other[..., 1])
    diagonal = hull_width**2 + hull_height**2 + 1e-6
    apart = (
        (one[..., 0] + one[..., 2] - other[..., 0] - other[..., 2]) ** 2
        + (one[..., 1] + one[..., 3] - other[..., 1] - other[..., 3]) ** 2
    ) / 4
    angle = [
        tf.atan((box[..., 2] - box[..., 0]) / tf.maximum(box[..., 3] - box[..., 1], 1e-3))
        for box in (one, other)
    ]
    shape = 4 / np.pi**2 * (angle[0] - angle[1]) ** 2
    weight = tf.stop_gradient(shape / tf.maximum(1 - iou + shape, 1e-6))
    return iou - apart / diagonal - weight * shape
