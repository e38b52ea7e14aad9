from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.config import DetectorSettings, MqttSettings, Settings, SnapshotSettings, parse_settings
from edge.detect.detector import FaceDetector
from edge.detect.detectors import OWN, open_detector
from edge.errors import ConfigError, ModelError
from edge.people import PEOPLE, frames
from edge.privacy.heads import HOLD_S, SCORES, STILL_S, FaceSearch, Held, open_covering
from edge.privacy.picture import (
    CELLS,
    MARGIN,
    Photographer,
    encode_jpeg,
    open_photographer,
    pixelate,
)
from edge.records import Box, Face, Frame, Pixels
from edge.track import Tracker
from tests.fakes import FixedDetector, blank, face_at, frame_at


class FixedSearch:
    def __init__(self, boxes: Sequence[Box]) -> None:
        self._boxes = boxes

    def __call__(self, frame: Frame) -> Sequence[Box]:
        return self._boxes


PIXELATED = SnapshotSettings(pictures="pixelated")


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def decoded(jpeg: bytes | None) -> Pixels:
    assert jpeg is not None
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def patches(pixels: Pixels) -> int:
    """Return how many even rectangles a grid of them consists of."""
    rows = 1 + np.count_nonzero((np.diff(pixels.astype(int), axis=0) != 0).any(axis=(1, 2)))
    columns = 1 + np.count_nonzero((np.diff(pixels.astype(int), axis=1) != 0).any(axis=(0, 2)))
    return int(rows * columns)


@pytest.mark.parametrize("size", [9.0, 20.0, 47.3, 130.0, 400.0])
def test_a_head_is_a_few_even_cells_whatever_its_size(size: float) -> None:
    picture = noise(640, 480)
    face = Box(100.3, 90.7, 100.3 + size, 90.7 + 0.9 * size)
    pixelate(picture, face)
    assert patches(inside(picture, face)) <= CELLS**2


def test_a_tiny_head_is_one_patch() -> None:
    picture = noise(64, 64)
    pixelate(picture, Box(20, 20, 28, 28))
    assert patches(picture[18:30, 18:30]) == 1


def test_cells_keep_nothing_but_their_mean() -> None:
    """Two pictures whose cells have the same means are the same afterwards."""
    rough, even = noise(480, 480), np.zeros((480, 480, 3), np.uint8)
    face = Box(141, 141, 339, 339)
    pixelate(rough, face)
    even[:] = rough
    pixelate(even, face)
    assert np.array_equal(rough[80:400, 80:400], even[80:400, 80:400])


def test_half_a_head_at_the_edge_has_no_finer_cells() -> None:
    picture = noise(200, 200)
    pixelate(picture, Box(-60, 60, 60, 180))
    assert patches(picture[60:180, 0:60]) <= CELLS**2 / 2
    untouched = noise(200, 200)
    pixelate(untouched, Box(300, 60, 400, 180))
    assert np.array_equal(untouched, noise(200, 200))


def test_all_that_may_be_a_face_is_covered_and_the_people_in_sight_too() -> None:
    expected = Box(900, 100, 960, 160)
    detector = FixedDetector([face_at(100, 100, 20, confidence=0.2)])
    search = FaceSearch(detector, lambda now_s: (expected.moved(now_s, 0),))
    boxes = search(frame_at(0, blank(1280, 720)))
    # The whole scene, turned, and its quarters; the fake finds the same box in each of them.
    sides, head = (252, 448), (448, 252)
    assert detector.shown == [(640, 360), sides, head, sides, *[(640, 360)] * 4]
    assert boxes[:2] == [expected.moved(100, 0), Box(200, 200, 240, 240)]
    corners = [(round(1.9 * box.left / 2), round(1.9 * box.top / 2)) for box in boxes[5:]]
    assert corners == [(100, 100), (676, 100), (100, 424), (676, 424)]


class BrightSpot:
    """Finds what is brighter than the rest, in pictures of the shapes that it is good at."""

    name = "spot"
    sure = 0.0
    input_px: int | None = None

    def __init__(self, searches: Callable[[int, int], bool] = lambda width, height: True) -> None:
        self._searches = searches
        self.count = 0
        self.brightest: list[int] = []

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        self.count += 1
        self.brightest.append(int(pixels.max()))
        height, width = pixels.shape[:2]
        rows, columns = np.nonzero(pixels[..., 0] > pixels.min() + 1)
        if not (rows.size and self._searches(width, height)):
            return ()
        box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return (Face(box, 0.9),)


def spot(left: int, top: int, size: int = 32) -> Pixels:
    pixels = blank()
    pixels[top : top + size, left : left + size] = 255
    return pixels


def test_what_is_found_in_a_turned_scene_is_where_it_is_in_the_scene() -> None:
    search = FaceSearch(BrightSpot(), quarters=False)
    boxes = search(frame_at(0, spot(80, 40)))
    assert len(boxes) == 4
    assert all(box.iou(Box(80, 40, 112, 72)) > 0.8 for box in boxes)


def on_the_side(width: int, height: int) -> bool:
    return width < height


def test_a_still_scene_is_searched_turned_once_a_second_and_what_was_found_holds() -> None:
    detector = BrightSpot(on_the_side)
    search = FaceSearch(detector, quarters=False)
    counts = []
    for at_s in (0.0, 0.25, 0.5, 0.75, STILL_S):
        detector.count = 0
        assert len(search(frame_at(at_s, spot(80, 40)))) == 2
        counts.append(detector.count)
    assert counts == [4, 1, 1, 1, 4]


@pytest.mark.parametrize(("behind", "face"), [(196, 202), (10, 13)])
def test_somebody_on_the_side_is_covered_in_the_first_frame_that_shows_him(
    behind: int, face: int
) -> None:
    """As small as counts, hardly brighter than what is behind him, and in the dark."""
    search = FaceSearch(BrightSpot(on_the_side), quarters=False)
    assert search(frame_at(0, blank(grey=behind))) == []
    pixels = blank(grey=behind)
    pixels[99:115, 301:317] = face
    assert len(search(frame_at(0.05, pixels))) == 2


@pytest.mark.parametrize(("lit", "behind"), [(31, 112), (200, 16)])
def test_a_dark_scene_is_brightened_unless_a_face_in_it_is_lit(lit: int, behind: int) -> None:
    detector = BrightSpot()
    pixels = blank(grey=16)
    pixels[40:72, 80:112] = lit
    FaceSearch(detector)(frame_at(0, pixels))
    # The darkest of what was searched is a quarter without the face.
    assert min(detector.brightest) in range(behind, behind + 8)


def test_what_comes_slowly_is_noticed_too() -> None:
    search = FaceSearch(BrightSpot(on_the_side), quarters=False)
    found = []
    for step in range(9):
        pixels = blank(grey=150)
        pixels[96:112, 296:312] += np.uint8(step)
        found.append(len(search(frame_at(0.1 * step, pixels))))
    assert found == [0, 0, 2, 2, 2, 2, 2, 2, 2]


def test_a_head_that_was_found_stays_covered_for_half_a_second_where_it_may_be_now() -> None:
    found = [Box(100, 100, 140, 140)]
    held = Held(lambda frame: tuple(found))
    held(frame_at(0))
    found.clear()
    (box,) = held(frame_at(0.25))
    assert box == Box(90, 90, 150, 150)
    assert len(held(frame_at(HOLD_S))) == 1
    assert held(frame_at(HOLD_S + 0.01)) == []


def test_a_head_that_is_found_again_is_covered_only_where_it_is() -> None:
    found = [Box(100, 100, 140, 140)]
    held = Held(lambda frame: tuple(found))
    held(frame_at(0))
    found[:] = [Box(104, 100, 144, 140)]
    assert held(frame_at(0.25)) == found
    found[:] = [Box(160, 100, 200, 140)]
    assert len(held(frame_at(0.5))) == 2, "this may be another"


class FixedFaces:
    """Finds the same faces in each picture of a shape: upright or on the side."""

    name = "fixed"
    sure = 0.0
    input_px: int | None = None

    def __init__(self, upright: Sequence[Face], on_the_side: Sequence[Face]) -> None:
        self.upright, self.on_the_side = upright, on_the_side
        self.count = 0

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        # The first of four searches is the upright one.
        self.count += 1
        height, width = pixels.shape[:2]
        if width < height:
            return tuple(self.on_the_side)
        return tuple(self.upright) if self.count % 4 == 1 else ()


def test_what_is_hardly_a_face_is_covered_only_in_the_direction_of_the_sure_ones() -> None:
    weak = [face_at(60, 60, 20, confidence=0.2)]
    detector = FixedFaces([face_at(100, 100, 40, confidence=0.9)], weak)
    search = FaceSearch(detector, quarters=False)
    assert len(search(frame_at(0, noise(640, 360)))) == 1
    # The same camera, and nobody whose face tells anything: remembered for some seconds.
    detector.upright = []
    assert search(frame_at(1, noise(640, 360))) == []
    assert len(search(frame_at(60, noise(640, 360)))) == 2
    # Somebody who lies there.
    detector.on_the_side = [face_at(60, 60, 20, confidence=0.4)]
    assert len(search(frame_at(61, noise(640, 360)))) == 2


def test_nothing_is_known_of_the_direction_of_a_camera_that_was_moved_or_is_in_the_dark() -> None:
    def scene(seed: int, bright: int) -> Pixels:
        few = np.random.default_rng(seed).integers(0, bright, (9, 16, 3), np.uint8)
        large = cv2.resize(few, (640, 360), interpolation=cv2.INTER_NEAREST)
        return np.asarray(large, np.uint8)

    weak = [face_at(60, 60, 20, confidence=0.2)]
    detector = FixedFaces([face_at(100, 100, 40, confidence=0.9)], weak)
    search = FaceSearch(detector, quarters=False)
    assert len(search(frame_at(0, scene(0, 256)))) == 1
    assert len(search(frame_at(0.25, scene(1, 256)))) == 3
    assert len(search(frame_at(1.5, scene(1, 256)))) == 1
    assert len(FaceSearch(detector, quarters=False)(frame_at(0, scene(0, 60)))) == 3


@pytest.mark.parametrize("quarters", range(4))
def test_of_a_hall_with_three_people_hardly_more_than_their_heads_is_covered(quarters: int) -> None:
    search = Held(FaceSearch(open_covering(DetectorSettings()), quarters=False))
    for number, pixels in enumerate(frames(4, fps=4)):
        turned = np.ascontiguousarray(np.rot90(pixels, quarters))
        covered = np.zeros(turned.shape[:2], bool)
        for box in search(frame_at(number / 4, turned)):
            inside(covered, box.grown(MARGIN))[:] = True
        upright = np.rot90(covered, -quarters)
        assert all(upright[round(each.y), round(each.x)] for each in PEOPLE)
        # The heads, hair and chins included, are 5 %.
        assert covered.mean() < 0.12


def test_a_track_that_was_not_found_in_the_frame_is_where_it_is_expected() -> None:
    tracker = Tracker(Settings(mqtt=MqttSettings(host="h")).tracker)
    tracker.update(frame_at(0.0), [face_at(100, 100)])
    tracker.update(frame_at(0.1), [face_at(110, 100)])
    tracker.update(frame_at(0.2), [])
    (box,) = tracker.expected(frame_at(0.2).monotonic_s)
    assert box.iou(face_at(120, 100).box) > 0.9


def test_the_picture_that_leaves_is_small_and_has_no_metadata() -> None:
    settings = SnapshotSettings(pictures="pixelated", longest_side_px=320, max_bytes=10_000)
    jpeg = Photographer(settings, lambda frame: ()).take(frame_at(0, noise(1280, 720)))
    assert jpeg is not None
    assert len(jpeg) <= 10_000
    assert b"Exif" not in jpeg
    assert b"\xff\xe1" not in jpeg[:200]
    assert max(decoded(jpeg).shape) <= 320


def test_a_small_frame_is_not_enlarged_and_stays_as_it_was() -> None:
    pixels = noise(176, 144)
    taken = Photographer(PIXELATED, lambda frame: (Box(50, 50, 90, 90),)).take(frame_at(0, pixels))
    assert decoded(taken).shape == (144, 176, 3)
    assert np.array_equal(pixels, noise(176, 144)), "others still look at this frame"


def test_quality_goes_down_before_size_does() -> None:
    picture = noise(200, 200)
    good, poor = encode_jpeg(picture, 500_000), encode_jpeg(picture, 25_000)
    assert len(poor) <= 25_000 < len(good)
    assert decoded(poor).shape == (200, 200, 3)
    tiny = encode_jpeg(picture, 700)
    assert len(tiny) <= 700
    assert decoded(tiny).shape[0] < 100


def test_none_is_the_default_and_faces_need_a_second_word(tmp_path: Path) -> None:
    given = {"mqtt": {"host": "h"}, "snapshots": {"pictures": "faces"}}
    with pytest.raises(ConfigError, match=r"\[snapshots\].*may_publish_faces = true"):
        parse_settings(given, "x")
    given["snapshots"]["may_publish_faces"] = True  # type: ignore[assignment]
    settings = parse_settings(given, "x")
    tracker = Tracker(settings.tracker)
    assert open_photographer(parse_settings({"mqtt": {"host": "h"}}, "x"), tracker) is None
    taker = open_photographer(settings, tracker)
    assert taker is not None
    clear = cv2.resize(noise(16, 9), (480, 270), interpolation=cv2.INTER_NEAREST)
    shown = decoded(taker.take(frame_at(0, np.asarray(clear, np.uint8))))
    assert np.abs(shown.astype(int) - clear).mean() < 8


def test_pixelated_needs_the_detector_that_finds_small_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORMASK_MODELS", str(tmp_path))
    settings = Settings(
        mqtt=MqttSettings(host="h"), snapshots=PIXELATED, detector=DetectorSettings(name="yunet")
    )
    with pytest.raises(ModelError, match=r"misses few small faces.*tensormask models fetch yunet"):
        open_photographer(settings, Tracker(settings.tracker))


class TestRealFaces:
    @pytest.fixture(params=["tensormask", "yunet"])
    def search(self, request: pytest.FixtureRequest, yunet_weights: Path) -> FaceSearch:
        model = str(yunet_weights) if request.param == "yunet" else ""
        return FaceSearch(open_detector(request.param, model, SCORES[0][1]), lambda now_s: ())

    @pytest.fixture
    def detectors(self, yunet_weights: Path) -> tuple[FaceDetector, ...]:
        """Those of the road, as eager as they are there.

        But our own, which has learnt from smeared heads and takes blocks above shoulders for one
        now and then: it must not be sure, as it must be to follow somebody.
        """
        return (
            open_detector("tensormask", confidence=OWN.sure),
            open_detector("yunet", str(yunet_weights)),
            open_detector("res10"),
        )

    def test_the_man_in_the_car_is_no_face_any_more(
        self, carphone: Path, search: FaceSearch, detectors: tuple[FaceDetector, ...]
    ) -> None:
        capture = cv2.VideoCapture(str(carphone))
        for number in range(100):
            found, pixels = capture.read()
            assert found
            if number % 40:
                continue
            before = np.asarray(pixels, np.uint8)
            after = decoded(Photographer(PIXELATED, search).take(frame_at(0, before)))
            for ratio in (1, 2):
                assert [len(found_in(before, detector, ratio)) for detector in detectors] == [1] * 3
                assert [found_in(after, detector, ratio) for detector in detectors] == [[]] * 3

    def test_every_face_of_a_street_crowd_is_covered_and_none_is_found_there(
        self, shared: Path, search: FaceSearch, detectors: tuple[FaceDetector, ...]
    ) -> None:
        """Those of 16 px and more in the picture that leaves, as drawn by hand."""
        faces = found = 0
        for before, drawn in street(shared, every=30):
            frame = frame_at(0, before)
            covered = np.zeros(before.shape[:2], bool)
            boxes = search(frame)
            for box in boxes:
                inside(covered, box.grown(MARGIN))[:] = True
            after = decoded(Photographer(PIXELATED, FixedSearch(boxes)).take(frame))
            ratio = before.shape[1] / after.shape[1]
            left = [box for each in detectors for box in found_in(after, each, 1)]
            for box in drawn:
                if box.size_px / ratio >= 16:
                    faces += 1
                    assert inside(covered, box).mean() > 0.85
                    found += any(box.iou(other.scaled(ratio, ratio)) > 0.4 for other in left)
        assert faces > 20
        assert found == 0

    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_heads_are_covered_however_the_camera_is_turned(
        self, shared: Path, quarters: int
    ) -> None:
        search = FaceSearch(open_covering(DetectorSettings()), quarters=False)
        faces = missed = 0
        for upright, drawn in street(shared, every=30):
            before = np.ascontiguousarray(np.rot90(upright, quarters))
            covered = np.zeros(before.shape[:2], bool)
            for box in search(frame_at(0, before)):
                inside(covered, box.grown(MARGIN))[:] = True
            shown = np.rot90(covered, -quarters)
            for box in drawn:
                x, y = box.centre
                faces += box.size_px >= 16
                missed += box.size_px >= 16 and not shown[int(y), int(x)]
        assert faces > 20
        assert missed == 0


def inside(picture: NDArray[Any], box: Box) -> NDArray[Any]:
    """Return the part of `picture` that `box` shows, not a copy."""
    part = box.clipped(picture.shape[1], picture.shape[0])
    assert part is not None
    return picture[int(part.top) : ceil(part.bottom), int(part.left) : ceil(part.right)]


def found_in(pixels: Pixels, detector: FaceDetector, ratio: int) -> list[Box]:
    larger = np.asarray(cv2.resize(pixels, None, fx=ratio, fy=ratio), np.uint8)
    return [face.box.scaled(1 / ratio, 1 / ratio) for face in detector.find(larger)]


def street(shared: Path, every: int) -> Iterator[tuple[Pixels, list[Box]]]:
    folder = shared / "data" / "street"
    for path in sorted((folder / "annotations").glob("*.xml"))[::every]:
        root = ElementTree.parse(path).getroot()
        pixels = cv2.imread(str(folder / "images" / str(root.findtext("filename"))))
        boxes = [
            Box(*(float(str(each.findtext(f"bndbox/{side}"))) for side in SIDES))
            for each in root.iter("object")
        ]
        yield np.asarray(pixels, np.uint8), boxes


SIDES = ("xmin", "ymin", "xmax", "ymax")
