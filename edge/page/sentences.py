"""What the sign says, in the owner's languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge.config import NOTICES, Notices, SignSettings
from edge.page.wire import SignLine
from edge.records import Advice

FILE = Path(__file__).with_name("files") / "sentences.json"
FROM_RIGHT = frozenset({"ar", "fa", "he", "ur"})
AT_A_DOOR: Mapping[Advice, Notices] = {
    Advice.GO: "thanks",
    Advice.NO_MASK: "no_mask",
    Advice.WORN_WRONGLY: "worn_wrongly",
}
"""Where nobody stops, each other advice is the general request: true, whatever the camera does."""
Sentences = Mapping[Notices, tuple[SignLine, ...]]


def notice_of(advice: Advice, *, is_station: bool) -> Notices:
    """Return what the sign says."""
    if not is_station:
        return AT_A_DOOR.get(advice, "please")
    known: Mapping[str, Notices] = {each: each for each in NOTICES}
    return known[advice.value]


def built_in() -> dict[str, dict[Notices, str]]:
    """Return the sign's own sentences, by language."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[Notices, str]])


def sentences_of(settings: SignSettings) -> Sentences:
    """Return what each notice says: a line for each language, the owner's before the sign's own."""
    own = built_in()
    return {
        notice: tuple(
            SignLine(
                language,
                "rtl" if language.partition("-")[0] in FROM_RIGHT else "ltr",
                (own.get(language, {}) | settings.sentences.get(language, {}))[notice],
            )
            for language in settings.languages
        )
        for notice in NOTICES
    }
