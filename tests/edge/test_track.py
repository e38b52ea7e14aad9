from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import TrackerSettings
from edge.records import Face, TrackedFace
from edge.track import BUFFER, FIRST_BUFFER, MAX_TRACKS, Tracker, _Track
from tests.fakes import face_at, frame_at


def follow(
    frames: Sequence[tuple[float, Sequence[Face]]], settings: TrackerSettings | None = None
) -> tuple[list[list[int]], list[tuple[int, ...]]]:
    """Return the track ids and the ended tracks of each frame."""
    tracker = Tracker(settings or TrackerSettings())
    updates = [tracker.update(frame_at(at), faces) for at, faces in frames]
    ids = [[each.track_id for each in update.faces] for update in updates]
    return ids, [update.ended for update in updates]


def test_a_face_that_stays_is_one_track() -> None:
    ids, ended = follow([(n / 10, [face_at(100, 100)]) for n in range(5)])
    assert ids == [[1]] * 5
    assert ended == [()] * 5


def test_a_face_that_walks_by_its_own_width_in_each_frame_is_one_track() -> None:
    ids, _ = follow([(n / 5, [face_at(60 * n, 100, 60)]) for n in range(8)])
    assert ids == [[1]] * 8


def test_two_faces_that_pass_each_other_keep_their_tracks() -> None:
    frames = [
        (n / 15, [face_at(20 * n, 100, 60), face_at(600 - 20 * n, 150, 60)]) for n in range(30)
    ]
    ids, _ = follow(frames)
    assert ids == [[1, 2]] * 30


def test_the_order_of_the_detector_does_not_matter() -> None:
    left, right = face_at(100, 100), face_at(400, 100)
    ids, _ = follow([(0.0, [left, right]), (0.1, [right, left])])
    assert ids == [[1, 2], [2, 1]]


def test_a_track_survives_a_short_miss_and_moves_on_meanwhile() -> None:
    walk = [(n / 10, [face_at(15 * n, 100)]) for n in range(10)]
    gap: list[tuple[float, list[Face]]] = [(1.0 + n / 10, []) for n in range(4)]
    back = [(1.4, [face_at(15 * 14, 100)])]
    ids, _ = follow([*walk, *gap, *back])
    assert ids[-1] == [1]


def test_a_track_that_is_missed_for_too_long_ends_and_its_id_is_not_used_again() -> None:
    settings = TrackerSettings(max_missed_s=1.0)
    away: list[tuple[float, list[Face]]] = [(n / 10, []) for n in range(1, 15)]
    face = [face_at(100, 100)]
    ids, ended = follow([(0.0, face), *away, (1.5, face)], settings)
    assert (ids[0], ids[-1]) == ([1], [2])
    assert [(n / 10, each) for n, each in enumerate(ended) if each] == [(1.1, (1,))]


def test_a_face_far_away_is_somebody_else() -> None:
    ids, _ = follow([(0.0, [face_at(0, 0)]), (0.1, [face_at(400, 250)])])
    assert ids == [[1], [2]]


def test_a_face_of_a_very_different_size_is_somebody_else() -> None:
    ids, _ = follow([(0.0, [face_at(100, 100, 200)]), (0.1, [face_at(180, 180, 20)])])
    assert ids == [[1], [2]]


def test_each_face_is_returned_with_its_track_in_the_detector_s_order() -> None:
    faces = [face_at(300, 0), face_at(0, 0)]
    update = Tracker(TrackerSettings()).update(frame_at(0), faces)
    assert update.faces == (TrackedFace(1, faces[0]), TrackedFace(2, faces[1]))


def test_a_face_seen_once_may_move_by_more_than_its_own_width() -> None:
    # 1.4 m/s across, a face of 16 cm, two scans in a quarter of a second.
    ids, _ = follow([(0.0, [face_at(100, 100, 60)]), (0.2, [face_at(205, 100, 60)])])
    assert ids == [[1], [1]]


def test_somebody_who_runs_past_is_one_track_at_the_pace_of_the_scans() -> None:
    ids, _ = follow([(0.133 * n, [face_at(100 + 84 * n, 100, 60)]) for n in range(6)])
    assert ids == [[1]] * 6


def test_somebody_who_walks_across_and_is_found_in_half_of_the_scans_is_one_track() -> None:
    walk = [(0.133 * n, [face_at(20 * n, 100, 40)]) for n in range(30)]
    found = [
        (at, faces if n in {0, 2, 3, 7, 8, 14, 19} else []) for n, (at, faces) in enumerate(walk)
    ]
    ids, ended = follow(found)
    assert [each for each in ids if each] == [[1]] * 7
    assert ended == [()] * 29 + [()]


def test_somebody_who_stops_while_the_face_is_missed_is_one_track() -> None:
    walk = [(0.12 * n, [face_at(30 * n, 100)]) for n in range(6)]
    ids, _ = follow([*walk, (1.8, [face_at(165, 100)])])
    assert ids[-1] == [1]


def test_frames_that_are_not_scanned_carry_the_tracks_on() -> None:
    frames = [(n / 30, [face_at(4 * n, 100)] if n % 4 == 0 else []) for n in range(60)]
    ids, ended = follow(frames)
    assert ids == [[1] if n % 4 == 0 else [] for n in range(60)]
    assert ended == [()] * 60


def test_the_end_of_the_source_ends_every_track() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update(frame_at(0), [face_at(0, 0), face_at(300, 0)])
    assert tracker.finish() == (1, 2)
    assert tracker.finish() == ()


def test_tracks_are_bounded() -> None:
    crowd = [face_at(200 * n, 0, 10) for n in range(MAX_TRACKS + 50)]
    update = Tracker(TrackerSettings()).update(frame_at(0), crowd)
    assert len(update.faces) == MAX_TRACKS


def test_an_unsure_find_continues_a_track_but_begins_none() -> None:
    tracker = Tracker(TrackerSettings(), sure_confidence=0.78)
    moments = [(0.0, 0.7), (0.2, 0.79), (0.4, 0.61)]
    updates = [
        tracker.update(frame_at(at), [face_at(100, 100, confidence=sure)]) for at, sure in moments
    ]
    assert [[each.track_id for each in update.faces] for update in updates] == [[], [1], [1]]


SCAN_S = 0.12


def scans(
    seconds: float, faces: Callable[[float], list[Face]] = lambda at_s: []
) -> list[tuple[float, list[Face]]]:
    """Return what the detector finds in each scan of this many seconds."""
    return [(n * SCAN_S, faces(n * SCAN_S)) for n in range(round(seconds / SCAN_S))]


def standing(hidden: Sequence[tuple[float, float]]) -> Callable[[float], list[Face]]:
    """Return how somebody is found who stands still, but for the times when others are before."""

    def faces(at_s: float) -> list[Face]:
        sway = 3 * math.sin(at_s)
        is_hidden = any(begin <= at_s < end for begin, end in hidden)
        return [] if is_hidden else [face_at(300 + sway, 100 - sway)]

    return faces


def test_somebody_who_stands_still_while_others_pass_is_one_track() -> None:
    passing = [(10.0 * n, 10.0 * n + 2) for n in range(1, 12)]
    ids, ended = follow(scans(120, standing(passing)))
    assert {each for found in ids for each in found} == {1}
    assert not any(ended)


def test_a_person_who_stood_still_and_is_missed_for_longer_has_left_once() -> None:
    frames = scans(60, standing([(5, 20), (40, 99)]))
    ids, ended = follow(frames)
    assert {each for found in ids for each in found} == {1, 2}
    left = [(round(at_s), each) for (at_s, _), each in zip(frames, ended, strict=True) if each]
    assert left == [(15, (1,)), (50, (2,))]


def test_how_long_somebody_may_be_hidden_is_a_setting() -> None:
    settings = TrackerSettings(still_missed_s=3)
    _, ended = follow(scans(20, standing([(5, 9), (12, 14.5)])), settings)
    assert [each for each in ended if each] == [(1,)]


def test_the_track_of_somebody_hidden_is_not_expected_anywhere() -> None:
    tracker = Tracker(TrackerSettings())
    for at_s, faces in scans(8, standing([(5, 99)])):
        tracker.update(frame_at(at_s), faces)
    assert tracker.expected(108.0) == ()


@pytest.mark.parametrize("widths_a_second", [2.0, 4.0, 6.0])
@pytest.mark.parametrize("first_found_at", [150.0, 240.0, 270.0, 300.0, 330.0])
def test_a_passer_by_does_not_become_the_person_who_is_hidden(
    widths_a_second: float, first_found_at: float
) -> None:
    """A passer-by, whose face is found from some place on, hides somebody for four seconds."""
    stand = standing([(5, 9)])
    crossing_s = 7.0  # when the one is exactly before the other

    def faces(at_s: float) -> list[Face]:
        left = 300 + 60 * widths_a_second * (at_s - crossing_s)
        return stand(at_s) + [face_at(left, 100)] * (first_found_at <= left <= 800)

    frames = scans(15, faces)
    ids, _ = follow(frames)
    found = {each for (at_s, _), each in zip(frames, map(tuple, ids), strict=True) if 5 <= at_s < 9}
    assert found <= {(), (2,)}
    assert ids[-1] == [1], "and the one who stood there is who they were"


@pytest.mark.parametrize(("dx", "dy", "size"), [(60, 0, 60), (0, 50, 60), (0, 0, 30), (0, 0, 110)])
def test_a_person_who_is_found_elsewhere_or_in_another_size_is_somebody_else(
    dx: float, dy: float, size: float
) -> None:
    other = face_at(300 + dx + 30 - size / 2, 100 + dy + 30 - size / 2, size)
    ids, _ = follow(scans(20, lambda at_s: [other] if at_s > 9 else standing([(5, 99)])(at_s)))
    assert ids[-1] == [2]


def test_a_person_who_walks_is_not_expected_to_come_back() -> None:
    def faces(at_s: float) -> list[Face]:
        return [face_at(100 + 120 * min(at_s, 2.0), 100)] if at_s < 2 or at_s > 5 else []

    ids, _ = follow(scans(8, faces))
    assert ids[-1] == [2]


@pytest.mark.parametrize("every_s", [1.0, 2.0, 5.0, 10.0])
def test_one_person_before_a_slow_source_is_one_track(every_s: float) -> None:
    frames = [(n * every_s, [] if n % 4 == 2 else [face_at(100 + 9 * n, 100)]) for n in range(20)]
    ids, _ = follow(frames)
    assert {each for found in ids for each in found} == {1}
    ids, ended = follow([*frames, *((n * every_s, []) for n in range(20, 40))])
    assert [each for each in ended if each] == [(1,)]


def test_an_outage_is_not_the_pace_of_the_source() -> None:
    before = [(n / 10, [face_at(20 * n, 100)]) for n in range(10)]
    after = [(6 + n / 10, [face_at(400 - 20 * n, 100)]) for n in range(10)]
    ids, _ = follow([*before, *after])
    assert ids == [[1]] * 10 + [[2]] * 10


class PairByPair(Tracker):
    """Compares every track with every face: slow, and easy to read."""

    def _match(self, faces: Sequence[Face], now_s: float) -> dict[int, _Track]:
        pairs = []
        for track in self._tracks.values():
            buffer = FIRST_BUFFER if track.seen_once else BUFFER
            places = (track.predicted(now_s).grown(buffer), track.box.grown(buffer))
            for index, face in enumerate(faces):
                overlap = max(place.iou(face.box.grown(buffer)) for place in places)
                if overlap > 0 and overlap >= self.settings.min_iou:
                    pairs.append((-overlap, track.id, index))
        matches: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, track_id, index in sorted(pairs):
            if track_id not in taken and index not in matches:
                matches[index] = self._tracks[track_id]
                taken.add(track_id)
        return matches


places = st.integers(0, 60).map(lambda n: 7.0 * n) | st.floats(0, 400)
found = st.builds(
    face_at, places, places, st.sampled_from([20.0, 40.0]) | st.floats(16, 90), st.floats(0.4, 1)
)


@given(
    frames=st.lists(st.tuples(st.floats(0, 1), st.lists(found, max_size=12)), max_size=12),
    min_iou=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_faces_are_matched_as_pair_by_pair(
    frames: Sequence[tuple[float, list[Face]]], min_iou: float
) -> None:
    settings = TrackerSettings(min_iou=min_iou)
    quick, slow = Tracker(settings, 0.5), PairByPair(settings, 0.5)
    now_s = 0.0
    for passed_s, faces in frames:
        now_s += passed_s
        assert quick.update(frame_at(now_s), faces) == slow.update(frame_at(now_s), faces)


def test_a_hundred_faces_take_less_than_a_tenth_of_the_time_of_pair_by_pair() -> None:
    crowd = [face_at(70 * (n % 18), 70 * (n // 18), 40) for n in range(100)]
    trackers = (Tracker(TrackerSettings()), PairByPair(TrackerSettings()))
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(7):
        for tracker, times in zip(trackers, took, strict=True):
            begun_s = time.thread_time()
            assert len(tracker.update(frame_at(turn / 10), crowd).faces) == 100
            times.append(time.thread_time() - begun_s)
    quick_s, slow_s = map(statistics.median, took)
    assert quick_s < slow_s / 10
