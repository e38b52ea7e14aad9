from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

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
    ids, ended = follow([(0.0, [face_at(100, 100)]), (1.5, [face_at(100, 100)])], settings)
    assert ids == [[1], [2]]
    assert ended == [(), (1,)]


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
            begun_s = time.perf_counter()
            assert len(tracker.update(frame_at(turn / 10), crowd).faces) == 100
            times.append(time.perf_counter() - begun_s)
    quick_s, slow_s = map(statistics.median, took)
    assert quick_s < slow_s / 10
