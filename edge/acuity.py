"""What size of drawn heads is seen, as the device reports it (`edge.sight`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge.words import percent


@dataclass(frozen=True, slots=True)
class SightState:
    """The proof of sight, where it is enabled: what size of drawn heads is seen."""

    at: datetime | None = None
    """Of the last proof; None: none was since the start."""
    masked_px: int | None = None
    """The smallest size of a head with a mask that is judged rightly, as all larger ones are; None:
    none is."""
    bare_px: int | None = None
    """The same without a mask."""
    share: float | None = None
    """Of all heads, how many were judged rightly, 0 to 1; None: there was no proof."""
    normal: float | None = None
    """The share that is normal at this time of day; None: it is still learned."""
    trouble: str = ""
    """Why sight is worse than that, in a sentence; empty: it is not, as far as is known."""
    fix: str = ""
    waits: str = ""
    """Why there is no proof now, in a sentence; empty: nothing is in its way."""
    answered: int = 0
    """Requests that are done with, since the start."""

    @property
    def in_words(self) -> str:
        """What is seen, for people."""
        if self.at is None or self.share is None:
            return self.waits or "not proved yet since the start"
        sizes = (("with a mask", self.masked_px), ("without", self.bare_px))
        seen = ", ".join(f"{what} {_from(size)}" for what, size in sizes)
        usual = "still learned" if self.normal is None else percent(self.normal)
        waits = f"; {self.waits}" if self.waits else ""
        return f"faces {seen}; {percent(self.share)} of drawn heads (normal: {usual}){waits}"


def _from(size_px: int | None) -> str:
    return "in no size shown" if size_px is None else f"from {size_px} px"
