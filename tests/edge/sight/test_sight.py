from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records import Pixels, Verdict
from edge.sight.heads import cutout
from edge.sight.judge import COVERED, HIDDEN_DARK, Cause, fall_of
from edge.sight.memory import LEARNED, SightMemory
from edge.sight.places import Passages
from edge.sight.proof import PLACES, ProofEyes, SightResult, prove, sizes_px
from edge.sight.register import movement
from edge.sight.scene import covered, figures_of, hidden
from tests.edge.sight.scenes import HEIGHT, WIDTH, looks_at, open_eyes, pairs_of, room
from tools.sight.damage import DAMAGES

LEAST_PX = 24.0


@pytest.fixture(scope="module")
def eyes() -> ProofEyes:
    return open_eyes()


@pytest.fixture(scope="module")
def memory(eyes: ProofEyes) -> SightMemory:
    """Of a room that was looked at in several lights."""
    memory = SightMemory(None)
    for seed in range(LEARNED):
        proved(memory, eyes, seed)
    return memory


def proved(
    memory: SightMemory, eyes: ProofEyes, seed: int, damage: str = "", level: float = 0
) -> SightResult:
    def alter(picture: Pixels) -> Pixels:
        return DAMAGES[damage](picture, level, 3) if damage else picture

    pairs = pairs_of(room(1), seed, alter)
    at = pairs[-1].now.captured_at
    reference, places = memory.reference(at), memory.places(at)
    proof = prove(looks_at(pairs), pairs, reference, places, LEAST_PX, eyes)
    if reference is None:
        memory.learn(proof, places)
    return proof


def test_drawn_heads_are_seen_in_a_good_picture(memory: SightMemory, eyes: ProofEyes) -> None:
    proof = proved(memory, eyes, 100)
    assert proof.share > 0.85
    assert proof.smallest_px(Verdict.MASKED) == proof.smallest_px(Verdict.BARE) == 19


def test_another_light_and_a_passer_by_are_no_fall(memory: SightMemory, eyes: ProofEyes) -> None:
    for seed in range(200, 206):
        proof = proved(memory, eyes, seed)
        assert fall_of(proof.change, proof.share, memory.normal(proof.at), 1.0) is None, proof.share


@pytest.mark.parametrize(
    ("damage", "level", "cause"),
    [
        ("blur", 2.0, Cause.BLURRED),
        ("dark", 8, Cause.DARK),
        ("fog", 0.8, Cause.HAZY),
        ("glare", 0.6, Cause.HAZY),
        ("shift", 0.2, Cause.MOVED),
        ("rotation", 20, Cause.MOVED),
        ("gray", 4, None),
        ("low bit rate", 44, None),
        ("dirt", 0.25, Cause.PARTLY),
        ("frost", 0.6, Cause.BENT),
    ],
)
def test_damage_that_hides_real_faces_is_noticed(
    memory: SightMemory, eyes: ProofEyes, damage: str, level: float, cause: Cause | None
) -> None:
    proof = proved(memory, eyes, 300, damage, level)
    fall = fall_of(proof.change, proof.share, memory.normal(proof.at), 1.0)
    assert fall is not None, (proof.share, memory.normal(proof.at))
    assert cause in (None, fall.cause)


def test_a_push_and_a_turn_are_measured() -> None:
    scene = room(2)
    before = figures_of(looks_at(pairs_of(scene, 1)))

    def pushed(picture: Pixels) -> Pixels:
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 16, 1)
        turn = turn + np.array([[0, 0, 0.1 * WIDTH], [0, 0, -0.1 * HEIGHT]])
        moved = cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)

    after = figures_of(looks_at(pairs_of(scene, 2, pushed)))
    moved = movement(before, after)
    assert moved.turned_deg == 16
    assert moved.right == pytest.approx(0.1, abs=0.04)
    assert moved.down == pytest.approx(-0.1, abs=0.06)
    assert not movement(before, before).is_any


def test_a_light_that_burns_out_a_white_room_hides_nothing_and_dirt_covers_its_walls() -> None:
    white = np.clip(room(1).astype(np.float32) * 0.4 + 130, 0, 215).astype(np.uint8)
    white[:, : WIDTH // 2] = 205
    before = figures_of(looks_at(pairs_of(white, 1, light=1.0)))
    burnt = figures_of(looks_at(pairs_of(white, 2, light=1.5)))
    assert hidden(before, burnt) < HIDDEN_DARK

    def dirty(picture: Pixels) -> Pixels:
        return DAMAGES["dirt"](picture, 0.2, 3)

    soiled = figures_of(looks_at(pairs_of(white, 3, dirty, light=1.0)))
    assert covered(before, soiled) > COVERED > covered(before, burnt)


def test_a_head_has_the_size_that_is_asked_for() -> None:
    for size_px in sizes_px(LEAST_PX):
        for wears in (Verdict.MASKED, Verdict.BARE):
            assert cutout(2, wears, size_px).face.size_px == pytest.approx(size_px, rel=0.04)


def test_the_rows_of_a_proof_add_up(memory: SightMemory, eyes: ProofEyes) -> None:
    rows = proved(memory, eyes, 400).rows("door")
    assert [(row.verdict, row.size_px) for row in rows] == [
        (verdict, size) for verdict in (Verdict.BARE, Verdict.MASKED) for size in (19, 29, 48)
    ]
    assert all(row.right <= row.found <= row.shown == PLACES // 2 for row in rows)
    assert {row.camera for row in rows} == {"door"}


def test_heads_stand_where_people_pass() -> None:
    passages = Passages()
    box = cutout(2, Verdict.BARE, 40).face.moved(100, 50)
    assert passages.places(PLACES)[0] == (0.5, 0.4)
    for _ in range(30):
        passages.add([box], WIDTH, HEIGHT)
    x, y = passages.places(PLACES)[0]
    assert (x * WIDTH, y * HEIGHT) == pytest.approx(box.centre)
    assert len(passages.places(PLACES)) == PLACES
    assert not Passages().places(PLACES, lambda x, y: False)


def test_what_was_learned_survives_a_restart(
    memory: SightMemory, eyes: ProofEyes, tmp_path: Path
) -> None:
    kept = SightMemory(tmp_path)
    for seed in range(LEARNED):
        proved(kept, eyes, seed)
    again = SightMemory(tmp_path)
    at = pairs_of(room(1), 0)[-1].now.captured_at
    reference, before = again.reference(at), memory.reference(at)
    assert reference is not None
    assert before is not None
    assert again.normal(at) == memory.normal(at)
    assert np.allclose(reference.level, before.level, atol=1)
    assert again.places(at) == memory.places(at)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.json"))
    assert size < 40_000
    again.forget()
    assert SightMemory(tmp_path).reference(at) is None


def test_damaged_files_are_learned_again(tmp_path: Path) -> None:
    folder = tmp_path / "sight" / "camera"
    folder.mkdir(parents=True)
    (folder / "part-0.json").write_text('{"places": [], "learned": [{"rows": 27')
    (folder / "places.json").write_bytes(b"\xff\x00")
    memory = SightMemory(tmp_path)
    assert memory.reference(datetime(2026, 11, 29, 1, tzinfo=UTC)) is None
    assert "places.json" in memory.trouble or "part-0.json" in memory.trouble


def test_a_disk_that_refuses_is_said_and_stops_nothing(eyes: ProofEyes, tmp_path: Path) -> None:
    (tmp_path / "sight").write_text("no folder")
    memory = SightMemory(tmp_path)
    proved(memory, eyes, 1)
    assert "sight" in memory.trouble
    assert memory.left(pairs_of(room(1), 0)[-1].now.captured_at) == LEARNED - 1
