"""How well the eyes judge is believed only of the networks that it was measured with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.detect.card import read_card
from edge.eyes import (
    EYES_FILE,
    EyesCard,
    KnownPeople,
    NetworkPair,
    Qualification,
    eyes_in_use,
    eyes_of_bundle,
    eyes_of_qualification,
)
from edge.files import DamagedFileError
from edge.rates import Counted, Eyes, rate_of
from edge.records import MaskState

OURS = NetworkPair("a" * 64, "b" * 64)
PEOPLE = (
    KnownPeople(MaskState.MASKED, 24, shown=100, masked=90, bare=2, worn_wrongly=3),
    KnownPeople(MaskState.BARE, 24, shown=80, masked=1, bare=70),
    KnownPeople(MaskState.WORN_WRONGLY, 24, shown=10, masked=3, bare=2, worn_wrongly=4),
)
WALKED = Qualification(
    1, datetime(2026, 11, 3, 9, 30, tzinfo=UTC), "", OURS, PEOPLE, walks=50, repeated=2, faults=()
)


def written(folder: Path, card: EyesCard) -> Path:
    (folder / EYES_FILE).write_bytes(msgspec.json.encode(card))
    return folder


def text(qualification: Qualification) -> str:
    return msgspec.json.encode(qualification).decode()


def test_a_bundle_says_how_its_own_networks_judge(tmp_path: Path) -> None:
    folder = written(tmp_path, EyesCard(1, OURS, "unseen pictures", PEOPLE))
    assert eyes_of_bundle(folder, OURS) == Eyes(
        {24: Counted(90, 92, 100)}, {24: Counted(70, 71, 80)}, "unseen pictures"
    )


def test_of_other_networks_a_bundle_says_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path, EyesCard(1, OURS, "unseen pictures", PEOPLE))
    assert eyes_of_bundle(folder, msgspec.structs.replace(OURS, detector_sha256="c")) is None
    assert eyes_of_bundle(folder / "nowhere", OURS) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        msgspec.json.encode(
            EyesCard(1, OURS, "", (KnownPeople(MaskState.BARE, 0, shown=1, masked=1, bare=1),))
        ),
    ],
)
def test_a_damaged_file_is_said_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / EYES_FILE).write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"eyes\.json: .*; install the bundle again"):
        eyes_of_bundle(tmp_path, OURS)


def test_a_door_says_how_it_was_measured() -> None:
    assert eyes_of_qualification(text(WALKED), OURS) == Eyes(
        {24: Counted(90, 92, 100)},
        {24: Counted(70, 71, 80)},
        "measured at this door on 2026-11-03, 190 passages",
    )


def test_other_networks_and_newer_releases_say_nothing_about_a_door() -> None:
    assert eyes_of_qualification(text(WALKED), NetworkPair("c", "d")) is None
    assert eyes_of_qualification('{"schema": 2}', OURS) is None
    assert eyes_of_qualification("", OURS) is None


def test_the_last_measurement_at_the_door_comes_before_the_bundle() -> None:
    bundle = Eyes({}, {}, "the bundle")
    later = msgspec.structs.replace(WALKED, at=datetime(2026, 12, 1, tzinfo=UTC))
    of_others = msgspec.structs.replace(WALKED, networks=NetworkPair("c", "d"))
    texts = [text(each) for each in (WALKED, later, of_others)]
    found = eyes_in_use(texts, bundle, OURS)
    assert found is not None
    assert found.source == "measured at this door on 2026-12-01, 190 passages"
    assert eyes_in_use([], bundle, OURS) is bundle
    assert eyes_in_use(texts, bundle, NetworkPair("e", "f")) is bundle
    assert eyes_in_use([], None, OURS) is None


def test_classes_with_few_people_are_taken_together(tmp_path: Path) -> None:
    def masked(size_px: int, shown: int, right: int) -> KnownPeople:
        return KnownPeople(MaskState.MASKED, size_px, shown, masked=right, bare=0)

    bare = KnownPeople(MaskState.BARE, 48, 3, masked=0, bare=2)
    rows = (masked(16, 5, 4), masked(24, 20, 17), masked(32, 40, 39), masked(64, 9, 9), bare)
    eyes = eyes_of_bundle(written(tmp_path, EyesCard(1, OURS, "", rows)), OURS)
    assert eyes is not None
    assert eyes.masked == {16: Counted(21, 21, 25), 32: Counted(48, 48, 49)}
    assert eyes.bare == {48: Counted(2, 2, 3)}


def test_the_program_comes_with_what_its_own_networks_miss() -> None:
    card = load_bundle(DEFAULT_BUNDLE).card
    eyes = eyes_of_bundle(DEFAULT_BUNDLE, NetworkPair(card.model_sha256, read_card().sha256))
    assert eyes is not None, "the networks have changed: make street EYES=file (docs/rates.md)"
    assert min(sum(each.of for each in of.values()) for of in (eyes.masked, eyes.bare)) > 100
    rate = rate_of({128: (900, 100)}, eyes)
    assert rate is not None
    assert rate.corrected == pytest.approx(0.9, abs=0.05)
