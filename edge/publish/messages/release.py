"""What runs on the device, and what became of what was on trial."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from edge.publish.messages.common import (
    Message,
    NotNegative,
    Origin,
    PayloadPart,
    Timestamp,
    every_field,
    timestamp,
)
from edge.software import OnTrial, Software


class TrialHealth(PayloadPart, frozen=True, kw_only=True):
    """A release or model that the device undoes if it does worse than the one before."""

    slot: Annotated[str, Meta(description="release, bundle or detector")]
    name: Annotated[str, Meta(description="Empty: the model included in the release")]
    former: Annotated[str, Meta(description="What ran before")]
    begun_at: Timestamp
    watched_s: Annotated[NotNegative, Meta(description="How long it has done well")]


class Settlement(PayloadPart, frozen=True, kw_only=True):
    """What became of a release or model."""

    slot: Annotated[str, Meta(description="release, bundle or detector")]
    name: Annotated[str, Meta(description="Empty: the model included in the release")]
    outcome: Annotated[
        str,
        Meta(description="kept; refused: undone, and not tried again; undone: but the one before "
             "did no better; interrupted; activated: without a trial; rolled_back: on command"),
    ]  # fmt: skip
    reason: Annotated[str, Meta(description="Why, for people to read")]
    at: Timestamp


class ReleaseMessage(Message, frozen=True, kw_only=True, tag="tensormask/release/1"):
    """What is installed and runs. Retained: on connecting, and when it changes."""

    current: Annotated[
        dict[str, str],
        Meta(description="By slot; an empty name: the model included in the release"),
    ]
    trial: Annotated[TrialHealth | None, Meta(description="null: nothing is on trial")]
    settled: Annotated[list[Settlement], Meta(description="The last ones, the newest last")]


def release_message(
    origin: Origin, software: Software, at: datetime, clock_synchronised: bool
) -> ReleaseMessage:
    """Return what is installed, as it is at `at`."""
    return ReleaseMessage(
        **every_field(origin, at, clock_synchronised),
        current=dict(software.current),
        trial=trial_health(software.trial),
        settled=[
            Settlement(
                slot=each.slot,
                name=each.name,
                outcome=each.outcome,
                reason=each.reason,
                at=timestamp(each.at),
            )
            for each in software.settled
        ],
    )


def trial_health(trial: OnTrial | None) -> TrialHealth | None:
    if trial is None:
        return None
    return TrialHealth(
        slot=trial.slot,
        name=trial.name,
        former=trial.former,
        begun_at=timestamp(trial.begun_at),
        watched_s=round(trial.watched_s, 1),
    )
