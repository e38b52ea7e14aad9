from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge.installed import Slot
from edge.release.judge import MOST_BOOTS, Fault
from edge.release.ledger import TrialEntry, TrialOutcome
from edge.release.observed import baseline_of
from edge.release.stages import ActivationError, OvertakenError
from edge.release.watch import NOTED_EVERY_S
from tests.edge.release.box import (
    FORMER,
    GOOD,
    NEW,
    WINDOW_S,
    WRONG,
    Box,
    PowerCutError,
    State,
    ending,
    failed,
    refusing,
    starting,
    up,
    well,
)

Behaviour = Callable[[float], State]
BAD: dict[str, Behaviour] = {
    "it refuses the configuration": refusing(78),
    "its model is damaged": refusing(65),
    "a package is missing": refusing(72),
    "it crashed 3 times (exit-code, 70)": ending("exit-code", 70, 20),
    "it crashed 3 times (signal, 9)": ending("signal", 9, 200),
    "it hung 2 times (timeout)": ending("timeout", 15, 90),
    "it hung 2 times (watchdog)": ending("watchdog", 6, 40),
    "no frames are judged": lambda for_s: up(for_s, camera=False),
    "no frames are judged, unlike": lambda for_s: up(for_s, frames=7),
    "it does not reach the broker": lambda for_s: up(for_s, broker=False),
    "its outbox takes nothing": lambda for_s: up(for_s, disk=False),
    "a scan takes 90 ms, up from 30 ms": lambda for_s: up(for_s, scan_ms=90),
    "it does not start": lambda for_s: starting(),
    # A wrong byte in its status file, or none.
    "it runs, but its status file": lambda for_s: (up(for_s)[0], None),
    "it ended 3 times because of the camera": ending("exit-code", 69, 6),
    "systemd has restarted it 20 times": ending("success", 0, 6),
    "its memory grows by 3.0 MB/s": lambda for_s: up(for_s, rss_bytes=140e6 + 3e6 * for_s),
    # It sends no document, and everything else is fine.
    "a message has waited for 1": lambda for_s: up(for_s, oldest_s=max(0, for_s - 60)),
    "its page does not answer": lambda for_s: up(for_s, page=for_s < 4),
    # 0.7 s more a frame, outside the scan: of all steps, or of none that is timed.
    "one frame in twenty takes 760 ms": lambda for_s: up(for_s, frame_ms=760, fps=1.4),
    "1.4 frames a second are judged": lambda for_s: up(for_s, fps=1.4),
    "the camera gives 5.0 frames": lambda for_s: up(for_s, fps=5, camera_fps=5, frame_ms=0.1),
}


def test_a_release_that_does_well_is_kept(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    begun_s = box.clock.now_s
    assert box.activate()
    assert box.watch() is TrialOutcome.KEPT
    assert box.current == NEW
    assert WINDOW_S <= box.clock.now_s - begun_s < WINDOW_S + 30
    assert list(box.outcomes()) == [(FORMER, TrialOutcome.ACTIVATED), (NEW, TrialOutcome.KEPT)]
    assert box.watch() is None


@pytest.mark.parametrize("reason", BAD)
def test_a_release_that_does_worse_is_undone_and_not_tried_again(
    tmp_path: Path, reason: str
) -> None:
    box = Box(tmp_path, {NEW: BAD[reason]})
    box.activate()
    assert box.watch() is TrialOutcome.REFUSED
    assert box.current == FORMER
    assert box.service.runs_release == FORMER
    assert box.switch.ledger.entries[-1].reason.startswith(reason)
    with pytest.raises(ActivationError, match="was tried and undone"):
        box.activate()
    assert box.activate(again=True)


def test_a_pulled_cable_is_no_fault_and_its_time_does_not_count(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.network = lambda now_s: not 100 <= now_s < 1100
    begun_s = box.clock.now_s
    box.activate()
    assert box.watch() is TrialOutcome.KEPT
    assert box.clock.now_s - begun_s > WINDOW_S + 1000


def test_a_cable_that_stays_away_does_not_keep_a_trial_open_for_ever(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    box.network = lambda now_s: False
    assert box.watch() is TrialOutcome.KEPT
    assert "not everything could be measured" in box.switch.ledger.entries[-1].reason


def test_a_broker_that_was_away_before_is_not_asked_for(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: lambda for_s: up(for_s, broker=False)})
    box.network = lambda now_s: False
    box.activate()
    assert box.watch() is TrialOutcome.KEPT


def test_a_camera_that_fails_under_both_is_not_the_new_ones_fault(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    box.camera = lambda now_s: False
    assert box.watch() is TrialOutcome.UNDONE
    assert box.current == FORMER
    box.camera = lambda now_s: True
    assert box.activate()
    assert box.watch() is TrialOutcome.KEPT


@pytest.mark.parametrize(
    ("result", "status", "lives_s"), [("success", 0, 60), ("exit-code", 69, 400)]
)
def test_restarts_on_command_and_for_the_camera_are_no_crashes(
    tmp_path: Path, result: str, status: int, lives_s: float
) -> None:
    box = Box(tmp_path, {NEW: ending(result, status, lives_s)})
    box.activate()
    assert box.watch() is TrialOutcome.KEPT


def test_endings_for_want_of_a_camera_that_was_not_there_before_are_no_fault(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path, {NEW: ending("exit-code", 71, 60)})
    box.camera = lambda now_s: False
    box.activate()
    assert box.watch() is TrialOutcome.KEPT


def test_while_somebody_has_stopped_the_service_no_time_counts(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    begun_s = box.clock.now_s

    def asleep(duration_s: float) -> None:
        box.clock.now_s += duration_s
        box.service.is_stopped = 50 < box.clock.now_s - begun_s < 5000

    box.clock.sleep = asleep  # type: ignore[method-assign]
    assert box.watch() is TrialOutcome.KEPT
    assert box.clock.now_s - begun_s > 5000 + WINDOW_S - 60


def test_a_trial_can_be_left_on_command(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    assert box.activate()
    assert box.activate()
    assert box.switch.roll_back(Slot.RELEASE) == FORMER
    assert box.watch() is None
    assert box.current == FORMER
    # Left, not refused: nothing was said against it.
    assert box.activate()


def test_another_takes_the_place_of_what_is_on_trial_and_goes_back_to_the_same(
    tmp_path: Path,
) -> None:
    newer = "0.4.0-cccc"
    box = Box(tmp_path, {NEW: lambda for_s: up(for_s, camera=False), newer: refusing(65)})
    box.activate()
    assert box.activate(newer)
    assert box.watch() is TrialOutcome.REFUSED
    assert box.current == FORMER
    assert list(box.outcomes())[1:] == [
        (NEW, TrialOutcome.INTERRUPTED),
        (newer, TrialOutcome.REFUSED),
    ]
    box.activate()
    assert not box.activate(FORMER)
    assert box.service.runs_release == FORMER
    assert box.watch() is None


def test_a_model_waits_for_the_end_of_a_releases_trial(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.store.folder(Slot.BUNDLE, "tensormask-4").mkdir(parents=True)
    box.activate()
    with pytest.raises(ActivationError, match=f"{NEW} is on trial"):
        box.switch.activate(Slot.BUNDLE, "tensormask-4", baseline_of(None))
    box.watch()
    assert box.switch.activate(Slot.BUNDLE, "tensormask-4", baseline_of(None))
    assert box.watch() is TrialOutcome.KEPT
    assert box.store.current(Slot.BUNDLE) == "tensormask-4"
    assert box.switch.roll_back(Slot.BUNDLE) == ""


def test_going_back_goes_to_the_one_before_and_not_round_in_a_circle(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    with pytest.raises(ActivationError, match="no release to go back to"):
        box.switch.roll_back(Slot.RELEASE)
    box.activate()
    box.watch()
    assert box.switch.roll_back(Slot.RELEASE) == FORMER
    with pytest.raises(ActivationError, match="no release to go back to"):
        box.switch.roll_back(Slot.RELEASE)


def test_a_service_that_is_stopped_is_switched_without_a_trial_and_stays_so(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.service.is_stopped = True
    assert not box.activate()
    assert box.current == NEW
    assert box.service.runs_release == FORMER
    assert box.watch() is None


def test_old_releases_go_but_none_that_is_needed(tmp_path: Path) -> None:
    names = [f"0.3.{number}-dddd" for number in range(5)]
    box = Box(tmp_path, {})
    for age, name in enumerate(names):
        box.store.folder(Slot.RELEASE, name).mkdir()
        os.utime(box.store.folder(Slot.RELEASE, name), (2e9 + age, 2e9 + age))
        box.activate(name)
        box.watch()
    left = box.store.installed(Slot.RELEASE)
    assert len(left) == 3
    assert {names[-1], names[-2]} <= set(left)
    assert box.switch.roll_back(Slot.RELEASE) == names[-2]


@pytest.mark.parametrize("is_bad", [False, True])
def test_a_power_cut_at_any_step_ends_where_none_would_have(tmp_path: Path, is_bad: bool) -> None:
    cut = 0
    while True:
        box = Box(tmp_path / str(cut), {NEW: refusing(78) if is_bad else well})
        box.cut_at = cut
        outcome: TrialOutcome | None = None
        was_cut = False
        try:
            box.activate()
            outcome = box.watch()
        except PowerCutError:
            was_cut = True
            box.reboot()
            outcome = box.watch()
        if not was_cut:
            break
        last = list(box.outcomes())[-1]
        if box.current == FORMER and not is_bad:
            # Cut before the switch: nothing has changed, and it can be asked for again.
            assert last in ((NEW, TrialOutcome.INTERRUPTED), (FORMER, TrialOutcome.ACTIVATED))
            assert box.activate()
            outcome = box.watch()
        elif is_bad and last[0] == NEW and last[1] is TrialOutcome.INTERRUPTED:
            box.activate()
            outcome = box.watch()
        assert box.switch.ledger.trial is None
        assert box.current == (FORMER if is_bad else NEW)
        assert outcome in (None, TrialOutcome.REFUSED if is_bad else TrialOutcome.KEPT)
        assert box.service.runs_release == box.current
        cut += 1
    assert cut > 6


def test_a_trial_goes_on_after_power_cuts_where_it_was(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    rng = np.random.default_rng(5)
    begun_s, cuts = box.clock.now_s, 0
    while True:
        box.cut_at = box.steps + int(rng.integers(9, 15))
        try:
            outcome = box.watch()
        except PowerCutError:
            cuts += 1
            box.clock.sleep(20)
            box.reboot()
            continue
        break
    assert outcome is TrialOutcome.KEPT
    assert cuts > 2
    # Each cut costs the time that it was off, the start, and what was not written down yet.
    assert box.clock.now_s - begun_s < WINDOW_S + cuts * (20 + 10 + NOTED_EVERY_S)


def test_a_release_under_which_the_machine_restarts_repeatedly_is_left(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    for _ in range(MOST_BOOTS):
        # Before the second note: half a minute after each start.
        box.cut_at = box.steps + 2
        with pytest.raises(PowerCutError):
            box.watch()
        box.clock.sleep(20)
        box.reboot()
    assert box.watch() is TrialOutcome.UNDONE
    assert box.current == FORMER
    assert box.switch.ledger.entries[-1].reason.startswith("the machine restarted 5 times")
    # Nobody knows that it was to blame.
    assert box.activate()
    assert box.watch() is TrialOutcome.KEPT


def test_a_release_that_brings_the_machine_down_before_it_is_up_is_left(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    for _ in range(MOST_BOOTS + 1):
        assert box.current == NEW
        # Nobody looks after it any more, but this comes before the service.
        box.count()
        box.reboot()
    assert box.current == FORMER
    assert box.watch() is TrialOutcome.UNDONE


def test_a_switch_that_was_cut_off_without_a_reboot_goes_on_when_it_is_asked_for_again(
    tmp_path: Path,
) -> None:
    for cut in range(1, 6):
        box = Box(tmp_path / str(cut), {NEW: well})
        box.cut_at = cut
        with pytest.raises(PowerCutError):
            box.activate()
        assert box.activate()
        assert box.current == box.service.runs_release == NEW
        assert box.watch() is TrialOutcome.KEPT


def test_what_takes_the_place_of_a_trial_is_not_looked_after_by_that(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: refusing(78), "0.4.0-cccc": well})
    box.activate()
    box.activate("0.4.0-cccc")
    assert box.store.watcher() == FORMER


def test_going_back_leaves_a_trial_of_another_kind_alone(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.store.folder(Slot.BUNDLE, "tensormask-4").mkdir(parents=True)
    box.switch.activate(Slot.BUNDLE, "tensormask-4", baseline_of(None))
    with pytest.raises(ActivationError, match="tensormask-4 is on trial"):
        box.switch.roll_back(Slot.RELEASE)
    assert box.watch() is TrialOutcome.KEPT


def test_a_power_cut_while_going_back_keeps_nothing_that_was_not_tried(tmp_path: Path) -> None:
    for cut in range(4):
        box = Box(tmp_path / str(cut), {NEW: well})
        box.activate()
        box.cut_at = box.steps + cut
        with pytest.raises(PowerCutError):
            box.switch.roll_back(Slot.RELEASE)
        box.reboot()
        outcome = box.watch()
        # Before anything was written the trial goes on; after that there is none.
        assert outcome is (TrialOutcome.KEPT if box.current == NEW and cut < 2 else None)
        assert (NEW, TrialOutcome.KEPT) not in box.outcomes() or box.current == NEW


def test_a_release_that_is_being_undone_is_not_on_trial(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well})
    box.activate()
    trial = box.switch.ledger.trial
    assert trial is not None
    box.switch.undo(trial, Fault.SLOW, "it is slow")
    with pytest.raises(ActivationError, match="is being undone: it is slow"):
        box.activate()


def _between(first_s: float, last_s: float) -> Callable[[float], bool]:
    return lambda now_s: not first_s <= now_s < last_s


def _busy(box: Box) -> None:
    box.starved = lambda now_s: now_s < 700


def _unplugged(box: Box) -> None:
    box.camera = _between(200, 260)


def _without_broker(box: Box) -> None:
    box.network = _between(200, 900)


def _edited(box: Box) -> None:
    box.settings_now = lambda now_s: GOOD if now_s < 100 else "a larger picture, and no page"


GOOD_ONES: dict[str, tuple[Behaviour, Callable[[Box], None]]] = {
    "it is restarted on command": (ending("success", 0, 120), lambda box: None),
    "the camera is unplugged for a minute": (well, _unplugged),
    "the broker is away": (well, _without_broker),
    "the settings are edited": (
        lambda for_s: up(for_s, scan_ms=120, frame_ms=400, fps=5, page=False),
        _edited,
    ),
    "it starts slowly": (
        lambda for_s: starting() if for_s < 300 else up(for_s),
        lambda box: None,
    ),
    "a model takes longer, within bounds": (
        lambda for_s: up(for_s, scan_ms=60, frame_ms=200, fps=8),
        lambda box: None,
    ),
    "the machine is busy with something else": (
        lambda for_s: up(for_s, scan_ms=90, frame_ms=500, fps=3) if for_s < 600 else up(for_s),
        _busy,
    ),
    "what an outage has left is delivered": (
        lambda for_s: up(for_s, oldest_s=max(0.0, 7200 - 20 * for_s)),
        lambda box: None,
    ),
    "somebody opens the page, and a first face comes": (
        lambda for_s: up(for_s, rss_bytes=140e6 + 40e6 * (for_s > 90) + 30e6 * (for_s > 150)),
        lambda box: None,
    ),
    "dusk: the camera exposes for longer": (
        lambda for_s: up(for_s, fps=7.5, camera_fps=7.5),
        lambda box: None,
    ),
    "it crashes twice": (
        lambda for_s: ending("exit-code", 70, 50)(for_s) if for_s < 112 else up(for_s, restarts=2),
        lambda box: None,
    ),
}


@pytest.mark.parametrize("what", GOOD_ONES)
def test_what_a_release_cannot_help_does_not_undo_it(tmp_path: Path, what: str) -> None:
    behaviour, happens = GOOD_ONES[what]
    box = Box(tmp_path, {NEW: behaviour})
    happens(box)
    assert box.activate()
    assert box.watch() is TrialOutcome.KEPT
    assert box.switch.ledger.entries[-1].reason.startswith("well for 60")


WRONG_ENDINGS: dict[str, Callable[[float], State]] = {
    "an unknown key": lambda for_s: failed(78),
    "a model that is not there": lambda for_s: failed(65),
    "a package that is not there": lambda for_s: failed(72),
    "a folder that cannot be made": ending("exit-code", 1, 2),
    "a credential that systemd does not find": ending("exit-code", 243, 0),
    "a credential that is not found before a start": ending("exit-code", 0, 0),
}
"""How the service ends for settings, or for what they name."""


@pytest.mark.parametrize("what", WRONG_ENDINGS)
def test_settings_that_the_former_refuses_too_pause_the_trial(tmp_path: Path, what: str) -> None:
    box = Box(tmp_path, {NEW: well}, wrong=WRONG_ENDINGS[what])
    box.activate()
    begun_s = box.clock.now_s
    seen: list[str] = []

    def somebody_edits(duration_s: float) -> None:
        """A restart after a minute, with a typo; that is put right, and later it is restarted."""
        before_s, box.clock.now_s = box.clock.now_s, box.clock.now_s + duration_s
        trial = box.switch.ledger.trial
        seen.append("" if trial is None else trial.trouble)
        for moment_s in (60, 7200):
            if before_s < begun_s + moment_s <= box.clock.now_s:
                box.service.begin()

    box.settings_now = lambda now_s: WRONG if 60 <= now_s - begun_s < 7000 else GOOD
    box.clock.sleep = somebody_edits  # type: ignore[method-assign]
    assert box.watch() is TrialOutcome.KEPT
    assert box.current == NEW
    assert box.clock.now_s - begun_s > 7200
    assert "the settings are wrong for the former release too: tensormask check" in seen


def test_settings_that_only_the_new_one_refuses_are_its_fault(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: refusing(78)})
    box.settings_now = lambda now_s: GOOD if now_s < 61 else "edited"
    box.activate()
    assert box.watch() is TrialOutcome.REFUSED


def test_a_page_that_the_former_would_not_serve_either_pauses_the_trial(tmp_path: Path) -> None:
    """Its password has been made readable for everybody, say: the settings are as they were."""
    box = Box(tmp_path, {NEW: lambda for_s: up(for_s, page=for_s > 2000)})
    box.settings_refused = lambda: True  # type: ignore[method-assign]
    box.activate()
    begun_s = box.clock.now_s
    assert box.watch() is TrialOutcome.KEPT
    assert box.clock.now_s - begun_s >= 2000 + WINDOW_S


def test_a_release_that_crashes_is_undone_whatever_the_settings_are(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: ending("exit-code", 70, 20)})
    box.settings_refused = lambda: True  # type: ignore[method-assign]
    box.activate()
    assert box.watch() is TrialOutcome.REFUSED


def _to_another(box: Box) -> None:
    box.activate()


def _back_from_a_trial(box: Box) -> None:
    box.switch.roll_back(Slot.RELEASE)


def _back_to_the_former_by_name(box: Box) -> None:
    box.activate(FORMER)


def _on_trial(box: Box) -> None:
    box.activate()


def _kept(box: Box) -> None:
    box.activate()
    box.watch()


def _stopped(box: Box) -> None:
    box.service.is_stopped = True


def _stopped_in_a_trial(box: Box) -> None:
    box.activate()
    box.service.is_stopped = True


NEWER = "0.4.0-cccc"


def _to_a_newer_one(box: Box) -> None:
    box.activate(NEWER)


WAYS: dict[str, tuple[Callable[[Box], None], Callable[[Box], None], str]] = {
    "without a trial": (_stopped, _to_another, NEW),
    "back from a trial": (_on_trial, _back_from_a_trial, FORMER),
    "back from one that was kept": (_kept, _back_from_a_trial, FORMER),
    "to the former by name": (_on_trial, _back_to_the_former_by_name, FORMER),
    "to another than is on trial": (_on_trial, _to_a_newer_one, NEWER),
    "to another after a trial": (_kept, _to_a_newer_one, NEWER),
    "to another, stopped in a trial": (_stopped_in_a_trial, _to_a_newer_one, NEWER),
    "back, stopped in a trial": (_stopped_in_a_trial, _back_from_a_trial, FORMER),
}


def _agrees(box: Box) -> bool:
    """Whether the ledger says of what is linked that it is good, and nothing is left over."""
    good = box.switch.ledger.former(Slot.RELEASE, "", box.store.installed(Slot.RELEASE))
    return box.switch.ledger.trial is None and good == box.current


@pytest.mark.parametrize("reboots", [True, False], ids=["power cut", "killed"])
@pytest.mark.parametrize("way", WAYS)
def test_ledger_and_link_agree_whatever_step_is_the_last_before_a(
    tmp_path: Path, way: str, reboots: bool
) -> None:
    begins, does, aim = WAYS[way]
    for cut in range(20):
        # What is gone back from is bad: it must never be taken for good.
        box = Box(tmp_path / str(cut), {NEW: well, NEWER: well})
        begins(box)
        before = box.current
        box.cut_at = box.steps + cut
        try:
            does(box)
        except PowerCutError:
            pass
        else:
            break
        if reboots:
            box.service.is_stopped = False
            box.count()
            box.reboot()
            box.watch()
            assert box.service.runs_release == box.current
            assert _agrees(box)
            assert box.current in (before, aim)
        # Asked for again, by somebody or by a script, it comes to its end.
        if not (box.current == aim and _agrees(box)):
            does(box)
        if box.service.is_stopped:
            box.service.is_stopped = False
            box.reboot()
        box.watch()
        assert box.current == box.service.runs_release == aim
        assert _agrees(box)
    assert cut > 2


def test_what_was_left_on_command_is_not_gone_back_to_after_a_power_cut(tmp_path: Path) -> None:
    for cut in range(1, 4):
        box = Box(tmp_path / str(cut), {NEW: well})
        _kept(box)
        box.cut_at = box.steps + cut
        with pytest.raises(PowerCutError):
            box.switch.roll_back(Slot.RELEASE)
        box.count()
        box.reboot()
        assert box.service.runs_release == FORMER
        box.watch()
        with pytest.raises(ActivationError, match="no release to go back to"):
            box.switch.roll_back(Slot.RELEASE)


def test_of_two_activations_at_once_one_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well, NEWER: well})
    said: list[str] = []

    def meanwhile(slot: Slot, name: str) -> None:
        box.switch.proof = lambda slot, name: None
        for other in (lambda: box.activate(NEWER), lambda: box.switch.roll_back(Slot.RELEASE)):
            with pytest.raises(ActivationError) as refusal:
                other()
            said.append(str(refusal.value))

    box.switch.proof = meanwhile
    assert box.activate()
    assert box.current == NEW
    assert len(said) == 2
    assert all("another activation or rollback is in progress" in text for text in said)
    assert box.watch() is TrialOutcome.KEPT


def test_what_fails_the_proof_is_refused_before_anything_is_switched(tmp_path: Path) -> None:
    box = Box(tmp_path, {NEW: well, NEWER: well})
    box.switch.proof = lambda slot, name: "it finds nobody"
    with pytest.raises(ActivationError, match="nothing was switched: it finds nobody"):
        box.activate()
    assert (box.current, box.switch.ledger.trial) == (FORMER, None)
    assert list(box.outcomes())[-1] == (NEW, TrialOutcome.REFUSED)
    with pytest.raises(ActivationError, match="was tried and undone"):
        box.activate()
    # Somebody who insists has it tried.
    assert box.activate(again=True)
    with pytest.raises(ActivationError, match="it finds nobody"):
        box.activate(NEWER)
    # What is on trial stays so.
    assert box.watch() is TrialOutcome.KEPT
    assert box.current == NEW


@pytest.mark.parametrize("when", ["before", "during the proof"])
def test_what_is_being_undone_is_not_forgotten_for_another(tmp_path: Path, when: str) -> None:
    box = Box(tmp_path, {NEW: well, NEWER: well})
    box.activate()

    def undone(slot: Slot, name: str) -> None:
        trial = box.switch.ledger.trial
        assert trial is not None
        box.switch.undo(trial, Fault.LEAKS, "its memory grows")

    if when == "before":
        undone(Slot.RELEASE, NEW)
    else:
        box.switch.proof = undone
    with pytest.raises(ActivationError, match="is being undone: its memory grows"):
        box.activate(NEWER)
    assert box.switch.roll_back(Slot.RELEASE) == FORMER
    assert box.watch() is TrialOutcome.REFUSED
    refused = box.switch.ledger.refused(Slot.RELEASE, NEW)
    assert refused is not None
    assert refused.reason == "its memory grows"


def test_what_was_kept_during_the_proof_of_another_is_what_that_is_measured_by(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path, {NEW: well, NEWER: refusing(78)})
    box.activate()

    def kept(slot: Slot, name: str) -> None:
        trial = box.switch.ledger.trial
        assert trial is not None
        box.switch._end(trial, TrialEntry(slot, NEW, TrialOutcome.KEPT, "well", trial.begun_at))

    box.switch.proof = kept
    box.activate(NEWER)
    assert box.watch() is TrialOutcome.REFUSED
    assert box.current == NEW
    assert list(box.outcomes())[-2:] == [(NEW, TrialOutcome.KEPT), (NEWER, TrialOutcome.REFUSED)]


def test_who_looks_after_a_trial_changes_nothing_once_another_has_taken_its_place(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path, {NEW: well, NEWER: well})
    box.activate()
    stale = box.switch.ledger.trial
    assert stale is not None
    box.activate(NEWER)
    ledger = box.switch.ledger
    for late in (
        lambda: box.switch.undo(stale, Fault.LEAKS, "its memory grows"),
        lambda: box.switch.note(stale, replace(stale, watched_s=100.0)),
        lambda: box.switch.close(stale, TrialOutcome.KEPT, "well"),
    ):
        with pytest.raises(OvertakenError):
            late()
    assert (box.current, box.switch.ledger) == (NEWER, ledger)
    assert box.watch() is TrialOutcome.KEPT


@pytest.mark.parametrize(
    ("is_slow", "outcome"), [(False, TrialOutcome.REFUSED), (True, TrialOutcome.UNDONE)]
)
def test_on_a_busy_machine_the_former_can_show_all_but_speed(
    tmp_path: Path, is_slow: bool, outcome: TrialOutcome
) -> None:
    bad = {"frame_ms": 900.0} if is_slow else {"disk": False}
    box = Box(tmp_path, {NEW: lambda for_s: up(for_s, **bad)})
    box.starved = lambda now_s: box.current == FORMER
    box.activate()
    assert box.watch() is outcome
    assert box.current == FORMER
