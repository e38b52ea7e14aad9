from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.decide.identity import EventIds

NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)


@given(st.timedeltas(timedelta(0), timedelta(days=365 * 5000)))
def test_an_id_is_a_version_7_uuid_with_its_time(age: timedelta) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + age
    made = uuid.UUID(EventIds()(at))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_the_example_of_the_rfc_has_its_fields_in_our_places() -> None:
    # RFC 9562, appendix A.6: 2022-02-22 14:22:22.000 -05:00, rand_a 0xCC3, rand_b as below.
    class Source(random.Random):
        def getrandbits(self, k: int, /) -> int:
            return 0xCC3 << 62 | 0x18C4DC0C0C07398F

    at = datetime.fromisoformat("2022-02-22T14:22:22.000-05:00")
    assert EventIds(Source())(at) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_of_one_millisecond_sort_as_they_were_made() -> None:
    new_id = EventIds(random.Random(1))
    made = [new_id(NOON + timedelta(microseconds=number)) for number in range(900)]
    assert made == sorted(made)
    assert len(set(made)) == 900


def test_ids_of_later_milliseconds_sort_later() -> None:
    new_id = EventIds()
    made = [new_id(NOON + timedelta(milliseconds=number)) for number in range(100)]
    assert made == sorted(made)


@given(st.lists(st.integers(-10_000, 10_000), min_size=2, max_size=50))
def test_ids_stay_unique_however_the_clock_is_set(steps_ms: list[int]) -> None:
    new_id = EventIds()
    at, made = NOON, []
    for step_ms in steps_ms:
        at += timedelta(milliseconds=step_ms)
        made.append(new_id(at))
        assert uuid.UUID(made[-1]).version == 7
    assert len(set(made)) == len(made)


def test_a_seeded_source_repeats_its_ids() -> None:
    first, second = EventIds(random.Random(7)), EventIds(random.Random(7))
    assert [first(NOON), first(NOON)] == [second(NOON), second(NOON)]
    assert EventIds()(NOON) != EventIds()(NOON)
