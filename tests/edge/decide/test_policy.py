from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from edge.classify.card import CardThresholds
from edge.config import PolicySettings
from edge.decide.evidence import Evidence, log_odds
from edge.decide.policy import Decision, ViolationPolicy
from edge.records import (
    MaskReading,
    MaskState,
    Sighting,
    Verdict,
    Violation,
    ViolationKind,
    ViolationState,
)
from tests.fakes import START, face_at, face_read, looked, reading_at

THRESHOLDS = CardThresholds(bare=0.9, masked=0.3)


def policy(confirm_s: float = 1.0, min_looks: int = 3) -> ViolationPolicy:
    settings = PolicySettings(confirm_s=confirm_s, min_looks=min_looks)
    return ViolationPolicy(settings, THRESHOLDS, lambda at: f"event-{at:%S.%f}")


def look(seconds: float, bare: float | None, track_id: int = 1, size: float = 60) -> Sighting:
    moment = START + timedelta(seconds=seconds)
    return Sighting(track_id, reading_at(0, 0, size, bare), moment, seconds)


def judge(
    probabilities: Sequence[float | None],
    every_s: float = 0.1,
    judge_by: ViolationPolicy | None = None,
) -> list[Decision]:
    """Show one person, then let it leave."""
    by = judge_by or policy()
    decisions = [by.update([look(n * every_s, p)], ()) for n, p in enumerate(probabilities)]
    return [*decisions, by.update((), (1,))]


def violations(decisions: Sequence[Decision]) -> list[Violation]:
    return [violation for decision in decisions for violation in decision.violations]


def states(decisions: Sequence[Decision]) -> list[ViolationState]:
    return [violation.state for violation in violations(decisions)]


def verdict(decisions: Sequence[Decision]) -> Verdict:
    (visit,) = (visit for decision in decisions for visit in decision.visits)
    return visit.verdict


ONCE = [ViolationState.CONFIRMED, ViolationState.ENDED]


def test_a_face_that_stays_bare_is_reported_once() -> None:
    assert states(judge([0.99] * 100)) == ONCE


def test_a_violation_is_confirmed_after_confirm_s_and_names_its_times() -> None:
    confirmed, ended = violations(judge([0.99] * 31))
    assert confirmed.started_at == START
    assert confirmed.confirmed_at == START + timedelta(seconds=1.0)
    assert confirmed.duration_s == pytest.approx(1.0)
    assert confirmed.ended_at is None
    assert confirmed.bare_probability > 0.95
    assert ended.event_id == confirmed.event_id == "event-06.000000"
    assert ended.ended_at == START + timedelta(seconds=3.0)
    assert ended.duration_s == pytest.approx(3.0)


def test_while_the_rule_is_off_everybody_is_counted_and_nobody_reported() -> None:
    by = policy()
    by.reports = False
    decisions = judge([0.99] * 100, judge_by=by)
    assert (states(decisions), verdict(decisions)) == ([], Verdict.BARE)


@pytest.mark.parametrize("was_on_s", [0, 0.5])
def test_who_is_there_when_the_rule_begins_has_all_the_time_from_then_on(was_on_s: float) -> None:
    by = policy()
    before = []
    for n in range(30):
        by.reports = n / 10 < was_on_s
        before.append(by.update([look(n / 10, 0.99)], ()))
    by.reports = True
    after = [by.update([look(3 + n / 10, 0.99)], ()) for n in range(11)]
    assert (states(before), states(after)) == ([], [ViolationState.CONFIRMED])
    (confirmed,) = violations(after)
    assert confirmed.started_at == START + timedelta(seconds=3)
    assert confirmed.confirmed_at == START + timedelta(seconds=4)
    assert confirmed.duration_s == pytest.approx(1.0)


def test_a_rule_that_is_off_for_a_moment_begins_anew() -> None:
    by = policy()
    for n in range(9):
        by.reports = n != 5
        by.update([look(n / 10, 0.99)], ())
    decisions = [by.update([look(n / 10, 0.99)], ()) for n in range(9, 20)]
    (confirmed,) = violations(decisions)
    assert confirmed.started_at == START + timedelta(seconds=0.6)


def test_a_violation_that_was_reported_ends_also_after_the_rule_has() -> None:
    by = policy()
    for n in range(20):
        by.update([look(n / 10, 0.99)], ())
    by.reports = False
    assert states([by.update((), (1,))]) == [ViolationState.ENDED]


def test_a_visit_has_the_size_of_the_largest_face_that_was_judged() -> None:
    by = policy()
    for n, (size, bare) in enumerate([(30, 0.1), (50, 0.1), (40, 0.1), (90, None)]):
        by.update([look(n / 10, bare, size=size)], ())
    (visit,) = by.update((), (1,)).visits
    assert visit.face_px == pytest.approx(50)


def test_a_visit_in_which_no_face_was_judged_has_no_size() -> None:
    by = policy()
    for n in range(5):
        by.update([look(n / 10, None, size=90)], ())
    (visit,) = by.update((), (1,)).visits
    assert (visit.verdict, visit.face_px) == (Verdict.UNKNOWN, 0.0)


def unmoved(seconds: float, until_s: float) -> list[Decision]:
    """Show a bare face that shows no sign of life for so long, then let it leave."""
    by = policy()
    return [
        *(
            by.update([look(n / 10, 0.99 if n < 20 else None)], (), (), (1,) * (n / 10 < until_s))
            for n in range(round(10 * seconds))
        ),
        by.update((), (1,)),
    ]


def test_a_picture_on_the_wall_is_neither_reported_nor_counted() -> None:
    decisions = unmoved(60, until_s=60)
    assert (states(decisions), [each for made in decisions for each in made.visits]) == ([], [])


def test_somebody_who_has_not_moved_for_some_seconds_is_counted() -> None:
    decisions = unmoved(5, until_s=5)
    assert (states(decisions), verdict(decisions)) == ([], Verdict.BARE)


def test_who_has_lived_and_comes_back_unmoved_is_counted() -> None:
    by = policy()
    for n in range(200):
        by.update([look(n / 10, 0.01)], ())
    # Hidden for three seconds; who is there now has not moved yet.
    decisions = [by.update([look(23 + n / 10, 0.01)], (), (1,) * (n == 0), (1,)) for n in range(3)]
    assert verdict([*decisions, by.update((), (1,))]) == Verdict.MASKED


def test_who_moves_at_last_is_reported_at_once() -> None:
    confirmed, ended = violations(unmoved(10, until_s=5))
    assert (confirmed.confirmed_at, confirmed.started_at) == (START + timedelta(seconds=5), START)
    assert ended.ended_at == START + timedelta(seconds=9.9)


def test_a_short_bare_moment_is_not_reported() -> None:
    assert states(judge([0.01] * 30 + [0.99] * 8 + [0.01] * 30)) == []


def test_a_bare_face_seen_for_less_than_confirm_s_is_not_reported() -> None:
    assert states(judge([0.99] * 9)) == []


def test_a_masked_face_is_never_reported() -> None:
    decisions = judge([0.02] * 100)
    assert states(decisions) == []
    assert verdict(decisions) is Verdict.MASKED


def test_faces_that_cannot_be_judged_are_unknown_never_a_violation() -> None:
    decisions = judge([None] * 100)
    assert states(decisions) == []
    assert verdict(decisions) is Verdict.UNKNOWN


def test_doubtful_looks_are_unknown_never_a_violation() -> None:
    decisions = judge([0.6] * 100)
    assert states(decisions) == []
    assert verdict(decisions) is Verdict.UNKNOWN


def test_a_bare_person_in_sight_who_is_not_looked_at_is_still_bare() -> None:
    _, ended = violations(judge([0.99] * 20 + [None] * 11))
    assert ended.duration_s == pytest.approx(3.0)
    assert states(judge([0.99] * 3 + [None] * 30)) == []


def test_a_gesture_before_the_face_does_not_end_a_violation() -> None:
    decisions = judge([0.99] * 30 + [0.05] * 10 + [0.99] * 30)
    assert states(decisions) == ONCE
    assert violations(decisions)[1].duration_s == pytest.approx(6.9)


def test_a_mask_put_on_ends_the_violation_while_the_person_is_there() -> None:
    decisions = judge([0.99] * 20 + [0.02] * 60)
    assert states(decisions) == ONCE
    assert decisions[-1].violations == ()
    ended_at = violations(decisions)[1].ended_at
    assert ended_at is not None
    assert ended_at < START + timedelta(seconds=5)


def test_a_mask_taken_off_again_is_the_same_visit() -> None:
    assert states(judge([0.99] * 20 + [0.02] * 60 + [0.99] * 60)) == ONCE


def stood(
    before: float, after: float, hidden_s: float = 4.0, seconds: float = 6.0
) -> list[Decision]:
    """Show somebody for three seconds, hide them, show somebody at the same place, let them go."""
    by = policy()
    decisions = [by.update([look(n / 10, before)], ()) for n in range(30)]
    back_s = 3 + hidden_s
    decisions.append(by.update([look(back_s, after)], (), (1,)))
    decisions += [
        by.update([look(back_s + n / 10, after)], ()) for n in range(1, round(10 * seconds))
    ]
    return [*decisions, by.update((), (1,))]


def test_a_person_who_was_hidden_and_is_still_bare_is_the_same_visit() -> None:
    decisions = stood(0.99, 0.99)
    assert states(decisions) == ONCE
    assert violations(decisions)[1].duration_s == pytest.approx(3 + 4 + 5.9)
    assert verdict(decisions) is Verdict.BARE


def test_the_time_in_which_somebody_is_hidden_confirms_nothing() -> None:
    by = policy()
    for n in range(8):
        assert by.update([look(n / 10, 0.99)], ()) == Decision()
    assert by.update([look(8.0, 0.99)], (), (1,)) == Decision()
    told = [n for n in range(1, 30) if by.update([look(8 + n / 10, 0.99)], ()).violations]
    assert told == [10]


@pytest.mark.parametrize(("before", "after"), [(0.99, 0.02), (0.02, 0.99)])
def test_a_person_masked_where_somebody_bare_stood_is_somebody_else(
    before: float, after: float
) -> None:
    decisions = stood(before, after)
    assert states(decisions) == ONCE
    visits = [visit for decision in decisions for visit in decision.visits]
    assert {visit.verdict for visit in visits} == {Verdict.BARE, Verdict.MASKED}
    assert [(visit.ended_at - START).total_seconds() for visit in visits] == [2.9, 12.9]
    ended_at = violations(decisions)[1].ended_at
    assert ended_at is not None
    left_s = 2.9 if before > after else 12.9
    assert (ended_at - START).total_seconds() == pytest.approx(left_s)


def test_a_hand_before_the_face_of_a_person_who_is_back_makes_nobody_else() -> None:
    by = policy()
    probabilities = [0.99] * 30
    decisions = [by.update([look(n / 10, p)], ()) for n, p in enumerate(probabilities)]
    decisions.append(by.update([look(7.0, 0.05)], (), (1,)))
    shown = [0.05] * 5 + [0.99] * 40
    decisions += [by.update([look(7.1 + n / 10, p)], ()) for n, p in enumerate(shown)]
    decisions.append(by.update((), (1,)))
    assert states(decisions) == ONCE
    assert verdict(decisions) is Verdict.BARE


@pytest.mark.parametrize("bare", [None, 0.99])
def test_a_person_who_comes_back_repeatedly_takes_no_more_room(bare: float | None) -> None:
    """Too small to be judged, or hidden again before the looks are enough."""
    by = policy()
    for n in range(300):
        by.update([look(4 * n, bare)], (), (1,) if n else ())
        by.update([look(4 * n + 0.1, bare)], ())
    assert len(by.update((), (1,)).visits) == 1


def test_a_violation_that_slow_looks_end_is_not_ended_again() -> None:
    by = policy(min_looks=3)
    decisions = [by.update([look(n, 0.99)], ()) for n in range(6)]
    decisions.append(by.update([look(10, 0.001)], (), (1,)))
    decisions += [by.update([look(10 + 2 * n, 0.001)], ()) for n in range(1, 8)]
    assert states([*decisions, by.update((), (1,))]) == ONCE


def test_one_odd_frame_neither_starts_nor_delays() -> None:
    probabilities = [0.99] * 40
    probabilities[5] = 0.01
    confirmed, _ = violations(judge(probabilities))
    assert confirmed.duration_s == pytest.approx(1.0)
    assert states(judge([0.01] * 20 + [0.99] + [0.01] * 20)) == []


@pytest.mark.parametrize("fps", [2, 5, 15, 60])
def test_the_frame_rate_does_not_change_the_verdict(fps: int) -> None:
    assert states(judge([0.97] * (4 * fps), 1 / fps)) == ONCE
    assert states(judge([0.03] * (4 * fps), 1 / fps)) == []


def test_a_slow_camera_needs_its_number_of_looks() -> None:
    assert states(judge([0.99] * 2, every_s=5, judge_by=policy(min_looks=3))) == []
    assert states(judge([0.99] * 3, every_s=5, judge_by=policy(min_looks=3))) == ONCE


def test_two_people_are_judged_apart() -> None:
    by = policy()
    decisions = [by.update([look(n / 10, 0.99, 1), look(n / 10, 0.02, 2)], ()) for n in range(30)]
    decisions.append(by.update((), (1, 2)))
    assert [v.track_id for v in violations(decisions)] == [1, 1]
    assert [(v.track_id, v.verdict) for v in decisions[-1].visits] == [
        (1, Verdict.BARE),
        (2, Verdict.MASKED),
    ]


def test_what_was_seen_twice_is_no_visit() -> None:
    assert [visit for decision in judge([0.02, 0.02]) for visit in decision.visits] == []


def test_a_bare_person_who_leaves_before_confirm_s_counts_as_bare() -> None:
    assert verdict(judge([0.99] * 9)) is Verdict.BARE


def test_the_largest_face_judged_is_named() -> None:
    by = policy()
    decisions = [by.update([look(n / 10, 0.99, size=40 + n)], ()) for n in range(12)]
    (confirmed,) = violations(decisions)
    assert confirmed.face_px == 50


def test_policy_keeps_nobody_who_has_left() -> None:
    by = policy()
    for track_id in range(1, 200):
        by.update([look(track_id, 0.9, track_id)], (track_id - 1,) if track_id > 1 else ())
    assert len(by._people) == 1


def test_the_stricter_of_the_bundle_s_threshold_and_the_configuration_s_holds() -> None:
    def judged(bundle: float, configured: float) -> list[ViolationState]:
        thresholds = CardThresholds(bare=bundle, masked=0.3)
        settings = PolicySettings(bare_probability=configured)
        return states(judge([0.85] * 50, judge_by=ViolationPolicy(settings, thresholds, str)))

    assert judged(bundle=0.6, configured=0.6) == ONCE
    assert judged(bundle=0.9, configured=0.6) == []
    assert judged(bundle=0.6, configured=0.9) == []


def test_log_odds_are_bounded() -> None:
    assert log_odds(0.0) == pytest.approx(-5.0)
    assert log_odds(1.0) == pytest.approx(5.0)
    assert log_odds(0.5) == 0


def test_evidence_of_one_look_is_weaker_than_the_look() -> None:
    evidence = Evidence()
    evidence.add(looked(0.99), 0.0)
    assert 0.5 < evidence.bare_probability < 0.99


def test_evidence_of_two_classes_is_the_time_weighted_mean_of_the_bare_one_s_log_odds() -> None:
    evidence = Evidence()
    weight_s = weighted = 0.0
    last_s: float | None = None
    for now_s, bare in ((0.0, 0.99), (0.07, 0.4), (0.3, 0.0), (1.9, 1.0), (2.0, 0.73)):
        # What a half-sure network says of the other class is none of this one's business.
        evidence.add({MaskState.MASKED: 0.9 - bare / 2, MaskState.BARE: bare}, now_s)
        since_s = 0.1 if last_s is None else now_s - last_s
        look_s, kept, last_s = min(since_s, 0.5), math.exp(-since_s / 2.0), now_s
        weight_s = weight_s * kept + look_s
        weighted = weighted * kept + look_s * log_odds(bare)
        expected = 1 / (1 + math.exp(-weighted / (weight_s + 0.2)))
        assert evidence.bare_probability == expected
        assert evidence.uncovered_probability == expected


def worn(*states: MaskState, setting: str = "report") -> list[Decision]:
    """Show one person, a look each 0.1 s, and let it leave."""
    looks = [{each: 0.98 if each is state else 0.01 for each in MaskState} for state in states]
    return shown(looks, setting)


def shown(looks: Sequence[Mapping[MaskState, float]], setting: str = "report") -> list[Decision]:
    settings = msgspec.convert({"worn_wrongly": setting}, PolicySettings)
    by = ViolationPolicy(settings, THRESHOLDS, lambda at: "event")
    decisions = []
    for n, says in enumerate(looks):
        moment = START + timedelta(seconds=n / 10)
        reading = MaskReading(face_at(0, 0, 60), says)
        decisions.append(by.update([Sighting(1, reading, moment, n / 10)], ()))
    return [*decisions, by.update([], [1])]


WRONG, RIGHT, NONE = MaskState.WORN_WRONGLY, MaskState.MASKED, MaskState.BARE


@pytest.mark.parametrize(
    ("setting", "told", "counted"),
    [
        ("report", [], Verdict.WORN_WRONGLY),
        ("violation", [ViolationKind.WORN_WRONGLY] * 2, Verdict.WORN_WRONGLY),
        ("ignore", [], Verdict.MASKED),
    ],
)
def test_what_a_mask_worn_wrongly_is_the_settings_say(
    setting: str, told: list[ViolationKind], counted: Verdict
) -> None:
    decisions = worn(*[WRONG] * 60, setting=setting)
    assert [each.kind for each in violations(decisions)] == told
    assert verdict(decisions) is counted
    for each in violations(decisions):
        assert each.probability > 0.9
        assert each.bare_probability < 0.1
        assert each.started_at == START
        assert each.confirmed_at == START + timedelta(seconds=3)


def test_a_person_who_puts_a_mask_on_or_adjusts_it_has_not_worn_it_wrongly() -> None:
    for moment in ([*[NONE] * 5, *[WRONG] * 20], [*[RIGHT] * 20, *[WRONG] * 20]):
        decisions = worn(*moment, *[RIGHT] * 40, setting="violation")
        assert violations(decisions) == []
        assert verdict(decisions) is Verdict.MASKED


def test_a_mask_put_right_ends_what_was_worn_wrongly_when_it_last_was() -> None:
    confirmed, ended = violations(worn(*[WRONG] * 50, *[RIGHT] * 50, setting="violation"))
    assert confirmed.event_id == ended.event_id
    assert ended.state is ViolationState.ENDED
    assert ended.ended_at is not None
    seconds = (ended.ended_at - START).total_seconds()
    assert 4.9 <= seconds < 6.5


def test_a_missing_mask_that_comes_to_be_worn_wrongly_was_missing_until_then() -> None:
    confirmed, ended = violations(worn(*[NONE] * 40, *[WRONG] * 60, setting="violation"))
    assert confirmed.kind is ended.kind is ViolationKind.BARE, "one message for a visit"
    assert ended.ended_at is not None
    assert (ended.ended_at - START).total_seconds() < 6


def beard(bare: float, worn_wrongly: float) -> dict[MaskState, float]:
    """Return what a look says that is sure that mouth and nose are not covered."""
    return {
        MaskState.MASKED: 1 - bare - worn_wrongly,
        MaskState.BARE: bare,
        MaskState.WORN_WRONGLY: worn_wrongly,
    }


SETTINGS = ("report", "violation", "ignore")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "looks",
    [
        [beard(0.55, 0.42)],
        [beard(0.7, 0.28), beard(0.4, 0.58)],
        [beard(0.3, 0.68), beard(0.9, 0.08)],
    ],
)
def test_an_unmasked_person_is_not_lost_between_no_mask_and_one_worn_wrongly(
    looks: list[dict[MaskState, float]], setting: str
) -> None:
    decisions = shown(looks * (40 // len(looks)), setting)
    assert states(decisions) == ONCE
    assert verdict(decisions) is Verdict.BARE
    for each in violations(decisions):
        assert each.kind is ViolationKind.BARE
        assert each.confirmed_at <= START + timedelta(seconds=1.2)
        assert each.probability > 0.9, "mouth and nose are not covered: what was confirmed"
        assert each.bare_probability < 0.8, "the kind is less sure"


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_mask_that_is_likelier_worn_wrongly_is_what_the_settings_say_though_looks_differ(
    setting: str,
) -> None:
    decisions = shown([beard(0.3, 0.68), beard(0.52, 0.45)] * 30, setting)
    kinds = [each.kind for each in violations(decisions)]
    assert kinds == ([ViolationKind.WORN_WRONGLY] * 2 if setting == "violation" else [])
    counted = Verdict.MASKED if setting == "ignore" else Verdict.WORN_WRONGLY
    assert verdict(decisions) is counted


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_person_who_may_be_masked_is_not_reported_however_the_rest_is_shared(
    setting: str,
) -> None:
    for bare, wrong in ((0.6, 0.15), (0.4, 0.35)):
        assert violations(shown([beard(bare, wrong)] * 60, setting)) == []


def test_a_few_odd_looks_do_not_make_a_mask_worn_wrongly_a_missing_one() -> None:
    assert violations(worn(*[*[WRONG] * 30, *[NONE] * 10] * 10)) == []


def test_a_mask_taken_off_after_it_was_worn_wrongly_is_missing_from_then_on() -> None:
    confirmed, ended = violations(worn(*[WRONG] * 100, *[NONE] * 100))
    assert confirmed.kind is ViolationKind.BARE
    assert timedelta(seconds=10) < confirmed.started_at - START < timedelta(seconds=13.5)
    assert confirmed.duration_s == pytest.approx(1.0)
    assert ended.ended_at == START + timedelta(seconds=19.9)


@pytest.mark.parametrize(
    ("looks", "counted"),
    [
        ([beard(0.7, 0.28), beard(0.4, 0.58)], Verdict.BARE),
        ([beard(0.3, 0.68), beard(0.6, 0.38)], Verdict.WORN_WRONGLY),
    ],
)
def test_who_leaves_before_confirm_s_is_counted_by_the_likelier_kind(
    looks: list[dict[MaskState, float]], counted: Verdict
) -> None:
    assert verdict(shown(looks * 4)) is counted


def test_one_sure_look_does_not_make_a_mask_worn_wrongly_a_missing_one() -> None:
    by = policy()
    looks = [beard(0.5, 0.45), *[beard(0.2, 0.7)] * 29, *[beard(0.98, 0.01)] * 2]
    decisions = []
    for n, says in enumerate(looks):
        reading = MaskReading(face_at(0, 0, 60), says)
        decisions.append(by.update([Sighting(1, reading, START + timedelta(seconds=n), n)], ()))
    assert states([*decisions, by.update((), (1,))]) == []


def test_what_is_shown_of_a_person_is_how_sure_it_is_that_mouth_and_nose_are_not_covered() -> None:
    by = policy()
    says = beard(0.6, 0.38)
    sightings = [Sighting(1, MaskReading(face_at(0, 0, 60), says), START, n / 10) for n in range(9)]
    for each in sightings:
        by.update([each], ())
    (standing,) = by.standings(sightings[-1:])
    assert standing.state is MaskState.BARE
    assert standing.probability > 0.9
    assert (standing.wrong_for_s, standing.confirm_s) == (0.8, 1.0)


@pytest.mark.parametrize(
    ("state", "verdict"), [(MaskState.MASKED, Verdict.MASKED), (MaskState.BARE, Verdict.BARE)]
)
def test_of_three_classes_a_mask_and_a_bare_face_are_told_as_of_two(
    state: MaskState, verdict: Verdict
) -> None:
    by = ViolationPolicy(PolicySettings(), THRESHOLDS, str)
    says = {each: 0.98 if each is state else 0.01 for each in MaskState}
    for n in range(60):
        by.update([Sighting(1, MaskReading(face_at(0, 0, 60), says), START, n / 10)], ())
    (visit,) = by.update([], [1]).visits
    assert visit.verdict is verdict


def test_event_ids_are_made_for_the_time_of_confirmation() -> None:
    asked: list[datetime] = []

    def name(at: datetime) -> str:
        asked.append(at)
        return str(at)

    by = ViolationPolicy(PolicySettings(), THRESHOLDS, name)
    judge([0.99] * 30, judge_by=by)
    assert asked == [START + timedelta(seconds=1)]


def test_what_the_detector_is_hardly_ever_sure_of_is_no_violation() -> None:
    def shown(confidences: Sequence[float]) -> list[Violation]:
        by = ViolationPolicy(PolicySettings(), THRESHOLDS, lambda at: "event")
        decisions = []
        for n, confidence in enumerate(confidences):
            reading = face_read(face_at(0, 0, 60, confidence), 0.99)
            moment = START + timedelta(seconds=n / 10)
            sighting = Sighting(1, reading, moment, n / 10, is_sure=confidence >= 0.8)
            decisions.append(by.update([sighting], ()))
        return violations(decisions)

    assert shown([0.9, 0.8, *[0.79] * 50]) == []
    (violation,) = shown([0.9, 0.8, *[0.79] * 20, 0.8, *[0.79] * 20])
    assert violation.confirmed_at == START + timedelta(seconds=2.2)
    assert len(shown([0.9, 0.9, 0.9, *[0.7] * 20])) == 1
