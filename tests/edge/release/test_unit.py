from __future__ import annotations

from edge.release.observed import ServiceState
from edge.release.unit import state_of


def test_what_systemd_says_is_read() -> None:
    text = (
        "Result=exit-code\nNRestarts=3\nExecMainStatus=70\nActiveState=activating\n"
        "SubState=auto-restart\nInvocationID=4f1c\n"
    )
    state = state_of(text)
    assert state == ServiceState("activating", "auto-restart", "exit-code", 70, 3, "4f1c")
    assert state.is_between
    assert not state.is_up
    assert not state.is_stopped
    assert not state.has_job
    assert state_of("ActiveState=inactive\nJob=812\n").has_job


def test_a_unit_that_systemd_does_not_know_is_neither_up_nor_stopped() -> None:
    state = state_of("ActiveState=\nExecMainStatus=\n")
    assert (state.is_up, state.is_stopped, state.status) == (False, False, 0)
