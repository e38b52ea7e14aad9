"""What is said to the person at the terminal, walk by walk, and what the service counts meanwhile.

Whether a walk was done as asked is asked before what was counted is shown: otherwise only those
that went wrong would be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from edge.host.visits import EndedVisit, VisitNews
from edge.qualify.walks import Gait, Progress, Walk, WalkDone
from edge.records import MaskState, Verdict

NOBODY_S = 45.0
"""How long somebody is waited for who is to walk past."""
WALK_S = 120.0
"""How long a walk may take: then somebody stands in the picture."""
EMPTY_S = 2.0
"""How long nobody is in sight before a walk begins, and after it has ended."""
LEAVE_S = 30.0
"""How long it may take until nobody is in sight."""
LOST_S = 15.0
"""How long after somebody was last in sight his visit is waited for."""
TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each thing is waited for, in seconds."""

    nobody_s: float = NOBODY_S
    empty_s: float = EMPTY_S
    lost_s: float = LOST_S


class StoppedError(Exception):
    """The person at the terminal goes on another time."""


class Terminal(Protocol):
    """Where the person is."""

    def say(self, text: str) -> None: ...
    def ask(self, text: str, meanwhile: Callable[[], None]) -> str:
        """Return the answer, in small letters; call `meanwhile` often. Raises StoppedError."""


class Ears(Protocol):
    """`VisitReader`."""

    def take(self, timeout_s: float) -> VisitNews | None: ...


@dataclass(slots=True)
class Dialog:
    """Leads through the walks."""

    terminal: Terminal
    ears: Ears
    keep: Callable[[Progress], None]
    """Keeps how far it has come."""
    camera: str = ""
    """What is said of other ones does not count."""
    now_s: Callable[[], float] = time.monotonic
    waits: Waits = Waits()
    _news: VisitNews = field(default=VisitNews(is_watching=False, in_sight=0))
    _ended: list[EndedVisit] = field(default_factory=list)

    def run(self, progress: Progress) -> Progress:
        """Return it when all walks are done. Raises StoppedError and what `ears` and `keep` do."""
        worn: MaskState | None = None
        while (walk := progress.next) is not None:
            if walk.state is not worn:
                worn = walk.state
                self.terminal.say(f"\n{_PUT_ON[worn]}")
            number, total = len(progress.done) + 1, len(progress.walks)
            self.terminal.say(f"\nwalk {number} of {total}: {walk.asked}")
            progress = self._walked(walk, progress)
            self.keep(progress)
        return progress

    def _walked(self, walk: Walk, progress: Progress) -> Progress:
        while True:
            who = "both of you are" if walk.gait is Gait.TOGETHER else "you are"
            if self._ask(f"Enter when {who} out of the picture, q to stop here: ") == "q":
                raise StoppedError
            if not self._is_watching() or not self._is_empty():
                continue
            self.terminal.say("\ago: walk past now")
            was_seen = self._watch(walk.people)
            text = "done as asked? Enter: yes, r: do it again, q: stop here: "
            if not was_seen:
                text = f"nobody was seen for {self.waits.nobody_s:.0f} s. {_NOBODY}"
            match self._ask(text):
                case "q":
                    raise StoppedError
                case "r":
                    progress = progress.with_repeat()
                    self.keep(progress)
                    self.terminal.say(f"again: {walk.asked}")
                case _:
                    verdicts: list[Verdict] = [each.verdict for each in self._ended]
                    faces = [each.face_px for each in self._ended]
                    self.terminal.say(f"counted: {WalkDone(walk, tuple(verdicts), ()).in_words}")
                    return progress.with_done(walk, verdicts, faces)

    def _ask(self, text: str) -> str:
        while (answer := self.terminal.ask(text, self._hear)) not in ("", "q", "r"):
            self.terminal.say(f"{answer!r} is none of these")
        return answer

    def _is_watching(self) -> bool:
        self._wait(lambda: self._news.is_watching, 2 * TICK_S)
        if not self._news.is_watching:
            self.terminal.say(
                "the service sees nobody now: the camera is lost, dark, covered or turned, or the "
                "service is paused; find out why: tensormask status"
            )
        return self._news.is_watching

    def _is_empty(self) -> bool:
        if not self._wait(lambda: self._news.in_sight == 0, LEAVE_S, stays_s=self.waits.empty_s):
            self.terminal.say(
                f"somebody has been in the picture for {LEAVE_S:.0f} s. A person who stays there "
                "(at this terminal, too) makes it impossible to tell who walks past"
            )
            return False
        self._ended.clear()
        return True

    def _watch(self, people: int) -> bool:
        """Wait until the walk is over; return whether somebody came."""
        waits = self.waits
        came = self._wait(lambda: self._news.in_sight > 0 or bool(self._ended), waits.nobody_s)
        if came:
            self._wait(lambda: self._news.in_sight == 0, WALK_S, stays_s=waits.empty_s)
            self._wait(lambda: len(self._ended) >= people, waits.lost_s)
            # A visit that broke in two ends twice.
            self._wait(lambda: self._news.in_sight == 0, WALK_S, stays_s=waits.empty_s)
        return came

    def _wait(self, is_so: Callable[[], bool], within_s: float, stays_s: float = 0.0) -> bool:
        """Hear news until something is so, and stays so; return whether it came to that."""
        begun_s = since_s = self.now_s()
        while (now_s := self.now_s()) - begun_s <= within_s + stays_s:
            if not is_so():
                since_s = now_s
            elif now_s - since_s >= stays_s:
                return True
            self._hear(TICK_S)
        return False

    def _hear(self, timeout_s: float = 0.0) -> None:
        while (news := self.ears.take(timeout_s)) is not None:
            timeout_s = 0.0
            if news.camera == self.camera:
                self._news = news
                self._ended += news.ended


_NOBODY = "Enter: somebody walked past, and was missed, r: do it again, q: stop here: "
_PUT_ON = {
    MaskState.MASKED: "PUT A MASK ON, as it should be worn, for the walks that follow.",
    MaskState.BARE: "TAKE THE MASK OFF for the walks that follow.",
    MaskState.WORN_WRONGLY: "WEAR THE MASK BELOW YOUR NOSE for the walks that follow.",
}
