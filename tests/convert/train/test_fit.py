from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from convert.data.augment import View
from convert.measure.figures import Epoch
from convert.train.fit import (
    CLASS_SHARES,
    Recipe,
    Trainer,
    covered_loss,
    sampling_shares,
    validation_set,
)
from convert.train.train import tell_epochs
from edge.errors import ConfigError
from tests.convert.conftest import SIDE_PX
from tests.convert.pictures import draw_face, face_box

LABELS = np.array([0, 1] * 8)
VIEWS = [(View(draw_face(label, seed), face_box()),) for seed, label in enumerate(LABELS)]
RECIPE = Recipe(
    side_px=SIDE_PX,
    width=1.0,
    weights="none",
    seed=3,
    frozen_epochs=1,
    epochs=2,
    batch=8,
    patience=9,
    data="0",
)


class KilledError(Exception):
    """What ends a run in the middle."""


def trainer(
    network: Callable[[], Any],
    checkpoint: Path,
    recipe: Recipe = RECIPE,
    truth: NDArray[np.int64] = LABELS,
) -> Trainer:
    shown = validation_set([views[0] for views in VIEWS[:6]], truth[:6], SIDE_PX)
    return Trainer(network(), recipe, VIEWS, LABELS, np.full(16, 1 / 16), shown, checkpoint)


def all_of(items: Any, name: str) -> Any:
    return items


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    tiny_network: Callable[[], Any], tmp_path: Path
) -> None:
    whole, whole_best = trainer(tiny_network, tmp_path / "whole").run(all_of, lambda epoch: None)

    def kill(epoch: Epoch) -> None:
        raise KilledError

    for _ in whole[:-1]:
        with pytest.raises(KilledError):
            trainer(tiny_network, tmp_path / "killed").run(all_of, kill)
    seen: list[Epoch] = []
    resumed, resumed_best = trainer(tiny_network, tmp_path / "killed").run(all_of, seen.append)

    assert [epoch.number for epoch in seen] == [2]
    assert [epoch.phase for epoch in resumed] == ["frozen", "fine", "fine"]
    assert resumed_best == whole_best
    for one, other in zip(whole, resumed, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)


def test_a_checkpoint_of_another_run_is_refused(
    tiny_network: Callable[[], Any], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    trainer(tiny_network, path, msgspec.structs.replace(RECIPE, frozen_epochs=1, epochs=0)).run(
        all_of, lambda epoch: None
    )
    with pytest.raises(ConfigError, match="--fresh"):
        trainer(tiny_network, path).run(all_of, lambda epoch: None)


def test_a_damaged_checkpoint_is_named(tiny_network: Callable[[], Any], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(b"\xc1")
    with pytest.raises(ConfigError, match="delete the file"):
        trainer(tiny_network, path).run(all_of, lambda epoch: None)


def test_training_stops_when_nothing_gets_better_and_keeps_the_best(
    tiny_network: Callable[[], Any], tmp_path: Path
) -> None:
    recipe = msgspec.structs.replace(RECIPE, frozen_epochs=0, epochs=40, patience=2)
    # Against a class that is never shown, what is learnt makes the answers worse.
    run = trainer(tiny_network, tmp_path / "checkpoint", recipe, np.full_like(LABELS, 2))
    history, best = run.run(all_of, lambda epoch: None)
    losses = [epoch.validation_loss for epoch in history]
    assert losses[best] == min(losses)
    assert len(history) == best + 3
    assert len(history) < 40


def test_classes_are_drawn_alike_and_crowds_held_down() -> None:
    labels = np.array([0] * 9 + [1] * 3)
    groups = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    shares = sampling_shares(labels, groups, np.zeros(12, np.int64))
    assert shares[labels == 0].sum() == pytest.approx(0.5)
    assert shares[labels == 1].sum() == pytest.approx(0.5)
    # Four near-duplicates count as often as two pictures of their own.
    assert shares[:4].sum() == pytest.approx(2 * shares[4])


def test_masks_worn_wrongly_and_nobody_are_few_and_shown_often_enough() -> None:
    labels = np.array([0] * 90 + [1] * 40 + [2] * 4 + [3] * 9)
    strata = np.array([0] * 45 + [1] * 45 + [0] * 20 + [1] * 20 + [0] * 1 + [1] * 3 + [0] * 9)
    shares = sampling_shares(labels, np.arange(len(labels)), strata)
    drawn = [float(shares[labels == label].sum()) for label in range(4)]
    assert drawn == pytest.approx(CLASS_SHARES)
    of_strata = [float(shares[(labels == 2) & (strata == each)].sum()) for each in (0, 1)]
    assert of_strata[1] / of_strata[0] == pytest.approx(np.sqrt(3))


def test_a_stratum_tells_nothing_of_the_class() -> None:
    labels = np.array([0] * 90 + [1] * 9 + [0] * 4 + [1] * 16)
    strata = np.array([0] * 99 + [1] * 20)
    shares = sampling_shares(labels, np.arange(119), strata)
    # The rarer classes have 9 and 4 pictures: strata 3 to 2, within each class.
    for label in (0, 1):
        assert shares[(labels == label) & (strata == 0)].sum() == pytest.approx(0.3)
        assert shares[(labels == label) & (strata == 1)].sum() == pytest.approx(0.2)


def test_validation_looks_from_near_and_from_afar() -> None:
    crops, truth = validation_set([views[0] for views in VIEWS[:4]], LABELS[:4], SIDE_PX)
    assert crops.shape == (12, SIDE_PX, SIDE_PX, 3)
    assert truth.tolist() == [0, 1, 0, 1] * 3


def test_each_epoch_tells_how_long_the_others_may_take() -> None:
    now_s = iter([100.0, 130.0, 190.0, 250.0])
    said: list[str] = []
    tell = tell_epochs(3, said.append, lambda: next(now_s))
    for number in range(3):
        tell(Epoch(number, "fine", 0.1, 0.5, 0.5, 0.5, 0.5))
    left = [line.partition("; ")[2] for line in said]
    assert left == ["0:01:00 left at most", "0:01:00 left at most", ""]


def test_how_a_face_is_not_covered_costs_nothing_where_covered_or_not_is_asked() -> None:
    wanted = np.eye(4, dtype=np.float32)[[1, 0, 3]]
    bare = [0.02, 0.95, 0.02, 0.01]
    worn = [0.02, 0.02, 0.95, 0.01]
    masked = [0.97, 0.01, 0.01, 0.01]
    nobody = [0.01, 0.01, 0.01, 0.97]

    def loss(*answers: list[float]) -> float:
        return float(covered_loss(wanted, np.array(answers, np.float32)))

    right = loss(bare, masked, nobody)
    assert loss(worn, masked, nobody) == pytest.approx(right, abs=0.01)
    assert loss(masked, masked, nobody) > right + 0.5
    assert loss(bare, worn, nobody) > right + 0.5
    # Nobody is neither.
    assert loss(bare, masked, masked) == pytest.approx(right)
