"""Pictures of people who pass: which are taken, and whose heads are covered in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.daemon.portraits import PeoplePictures
from edge.decide.policy import Decision, Standing
from edge.observers import Judged
from edge.pipeline import FrameOutcome
from edge.privacy.heads import FindFaces
from edge.qualify.labels import LabelPicture
from edge.records import Box, Face, Frame, MaskState, Pixels, Sighting
from tests.fakes import blank, frame_at, reading_at

FACE = Box(300, 100, 360, 160)
BESIDE = Box(380, 110, 430, 160)


def scene() -> Pixels:
    """Noise where heads may be, in an even room: even cells have none of it."""
    pixels = blank()
    noise = np.random.default_rng(3)
    for box in (FACE, BESIDE):
        rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
        pixels[rows, columns] = noise.integers(0, 255, pixels[rows, columns].shape)
    return pixels


def seen(at_s: float, track_id: int = 7, box: Box = FACE) -> tuple[Frame, FrameOutcome]:
    frame = frame_at(at_s, scene())
    reading = replace(reading_at(0, 0), face=Face(box, 0.9))
    sighting = Sighting(track_id, reading, frame.captured_at, frame.monotonic_s)
    standing = Standing(track_id, MaskState.BARE, 0.97, 0.6, 1.0, 3, 3, is_reported=False)
    return frame, FrameOutcome((sighting,), Decision(), (standing,))


def heads(frame: Frame) -> Sequence[Box]:
    """Find both, the first not as exactly as the road did."""
    return FACE.moved(3, -4), BESIDE


def missing(box: Box, at: Callable[[float], bool]) -> FindFaces:
    """Return a search that does not find what is in `box` at these seconds."""

    def find(frame: Frame) -> Sequence[Box]:
        second = frame.monotonic_s - 100
        return [each for each in heads(frame) if each.iou(box) < 0.5 or not at(round(second, 2))]

    return find


def details(jpeg: bytes, box: Box) -> float:
    """Return how much finer than the cells of a cover what is shown at `box` is."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    # The picture begins two and a half faces to the left of the face, and one and a half above.
    left, top = FACE.left - 2.5 * FACE.width, FACE.top - 1.5 * FACE.height
    ratio = 360 / (6 * FACE.width)
    inside = box.moved(-left, -max(0.0, top)).scaled(ratio, ratio)
    part = picture[int(inside.top) : int(inside.bottom), int(inside.left) : int(inside.right)]
    return float(np.median(np.abs(np.diff(part.astype(float), axis=1))))


def taken(
    *frames: tuple[Frame, FrameOutcome], uncovers: bool = True, find: FindFaces = heads
) -> PeoplePictures:
    pictures = PeoplePictures(find, uncovers=uncovers)
    for frame, outcome in frames:
        pictures.note(Judged(frame, outcome))
    return pictures


def passing(
    *, find: FindFaces = heads, until_s: float = 0.25, uncovers: bool = True
) -> LabelPicture:
    """Return the newest picture of somebody who was in sight so long, four frames a second."""
    frames = [seen(number / 4) for number in range(round(until_s * 4) + 1)]
    return taken(*frames, find=find, uncovers=uncovers).of(7)[-1]


def test_all_heads_are_covered_and_only_the_persons_own_may_be_uncovered() -> None:
    picture = passing()
    assert details(picture.covered, FACE) < 10
    assert details(picture.covered, BESIDE) < 10
    assert details(picture.uncovered, FACE) > 30
    assert details(picture.uncovered, BESIDE) < 10
    assert max(map(len, (picture.covered, picture.uncovered))) <= 20_000


def test_where_faces_stay_covered_no_uncovered_picture_is_made() -> None:
    assert passing(uncovers=False).uncovered == b""


@pytest.mark.parametrize("missed_s", [0.25, 0.75, 1.0])
def test_a_head_that_one_search_misses_is_covered_in_all_pictures(missed_s: float) -> None:
    find = missing(BESIDE, lambda second: second == missed_s)
    pictures = taken(*(seen(number / 4) for number in range(5)), find=find).of(7)
    assert len(pictures) == 2
    for each in pictures:
        assert details(each.covered, BESIDE) < 10
        assert details(each.uncovered, BESIDE) < 10


def test_the_first_search_alone_makes_no_picture() -> None:
    assert taken(seen(0)).of(7) == ()
    assert taken(seen(0), seen(2)).of(7) == (), "the one before is too long ago"
    assert len(taken(seen(0), seen(0.25)).of(7)) == 1
    assert len(taken(seen(0), seen(1.2)).of(7)) == 1, "on a slow device"


def test_on_a_slow_device_a_missed_head_is_covered_where_it_may_be_by_then() -> None:
    find = missing(BESIDE, lambda second: second == 1.2)
    (picture,) = taken(seen(0), seen(1.2), find=find).of(7)
    assert details(picture.covered, BESIDE) < 10
    assert details(picture.uncovered, BESIDE) < 10


def test_a_picture_is_taken_in_the_few_frames_in_which_the_road_sees_a_person() -> None:
    """Who stands still is looked for once a second."""
    still = [(frame_at(tenth / 10), FrameOutcome((), Decision())) for tenth in range(1, 11)]
    assert taken(seen(0), *still, seen(1.1)).of(7)[0].uncovered


def test_heads_are_searched_all_the_time_while_somebody_is_in_sight() -> None:
    searched: list[float] = []

    def find(frame: Frame) -> Sequence[Box]:
        searched.append(round(frame.monotonic_s - 100, 2))
        return heads(frame)

    nobody = [(frame_at(second / 4), FrameOutcome((), Decision())) for second in range(1, 12)]
    taken(seen(0), *nobody, find=find)
    assert searched == [0, 0.25, 0.5, 0.75, 1.0, 1.25], "until the person is gone"


def test_who_was_seen_lately_is_covered_though_no_search_finds_him() -> None:
    """The road has followed him; the live view covers where he was seen last, too."""
    find = missing(BESIDE, lambda second: True)
    pictures = taken(seen(0), seen(0.1, 8, BESIDE), seen(0.9), seen(1.2), find=find)
    picture = pictures.of(7)[0]
    assert details(picture.covered, BESIDE) < 10
    assert details(picture.uncovered, BESIDE) < 10


@pytest.mark.parametrize(
    ("moved", "is_own_found"), [(12.0, True), (15.0, True), (30.0, True), (30.0, False)]
)
def test_no_face_is_uncovered_where_another_head_overlaps_it(
    moved: float, is_own_found: bool
) -> None:
    other = FACE.moved(moved, 0)
    found = [FACE, other] if is_own_found else [other]
    picture = passing(find=lambda frame: found)
    assert picture.uncovered == b""
    assert details(picture.covered, other) < 10


def test_a_picture_with_the_face_takes_the_place_of_one_without() -> None:
    """Somebody walked beside, and does no longer."""

    def find(frame: Frame) -> Sequence[Box]:
        return [FACE] if frame.monotonic_s > 101 else [FACE, FACE.moved(30, 0)]

    pictures = taken(*(seen(number / 4) for number in range(12)), find=find).of(7)
    assert len(pictures) == 2
    assert all(each.uncovered for each in pictures)


def test_of_a_person_the_two_pictures_with_the_largest_face_are_kept() -> None:
    boxes = [FACE, FACE.scaled(1.2, 1.2), FACE.scaled(1.25, 1.25), FACE.scaled(1.6, 1.6)]
    frames = [seen(second + part, box=box) for second, box in enumerate(boxes) for part in (0, 0.3)]
    pictures = taken(*frames, uncovers=False)
    sizes = [size for size, _ in pictures._people[7].pictures]
    assert sizes == [pytest.approx(96), pytest.approx(75)]
    assert len(pictures.of(7)) == 2
    assert pictures.of(7) == (), "they are taken once"


def test_pictures_of_people_who_leave_without_a_visit_are_forgotten() -> None:
    frames = (seen(0), seen(0.3), seen(31, track_id=8), seen(31.3, track_id=8))
    pictures = taken(*frames)
    assert pictures.of(7) == ()
    assert pictures.of(8) != ()
    pictures = taken(*frames)
    pictures.clear()
    assert pictures.of(8) == ()
