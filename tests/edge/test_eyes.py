"""How well the eyes judge is believed only of the networks that it was measured with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

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
from edge.rates import Counted, Eyes
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
