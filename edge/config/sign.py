"""The section about the sign: a screen at the door, for the people who come."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from edge.config.section import Section

LANGUAGES = (
    *("ar", "cs", "da", "de", "en", "es", "fr", "it", "ja"),
    *("ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh"),
)
"""For which the sign has sentences of its own (`edge/page/files/sentences.json`)."""
Notices = Literal[
    "please",
    "thanks",
    "empty",
    "wait",
    "go",
    "no_mask",
    "worn_wrongly",
    "closer",
    "light",
    "closed",
]
"""What it can say: the first two where there is no station, those of `Advice` at one."""
NOTICES: tuple[Notices, ...] = Notices.__args__  # type: ignore[attr-defined]
MAX_SENTENCE = 80
"""Characters: more would be too small to be read from afar."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""A tag as in HTML: `de`, `pt-BR`."""


class SignSettings(Section, frozen=True):
    """The sign is a part of the page, at `/sign`, and shows a picture of nobody."""

    enabled: bool = False
    token_file: str = ""
    """A file that only the service's user and root can read, or `credential:NAME`: a token on its
    first line, which opens the sign, and nothing else of the page, without the page's password."""
    languages: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=3)] = ("en",)
    """Under each other, the first in the largest letters."""
    sentences: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """The owner's own, in place of the sign's, by language and notice."""

    @property
    def files(self) -> tuple[str, ...]:
        """What is named: a path or `credential:NAME`; empty: none."""
        return (self.token_file,)

    def __post_init__(self) -> None:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: one is named twice")
        for language in self.languages:
            own = self.sentences.get(language, {})
            missing = [each for each in NOTICES if each not in own]
            if language not in LANGUAGES and (missing or not _LANGUAGE.fullmatch(language)):
                raise ValueError(
                    f"languages: {language!r}: the sign knows {', '.join(LANGUAGES)}; for another "
                    f"one, [sign.sentences.CODE] has to have {', '.join(missing or NOTICES)}"
                )
        for language, own in self.sentences.items():
            if language not in self.languages:
                raise ValueError(f"sentences: {language!r} is not one of languages")
            for notice, sentence in own.items():
                _refuse(f"sentences.{language}", notice, sentence)


def _refuse(where: str, notice: str, sentence: str) -> None:
    if notice not in NOTICES:
        raise ValueError(f"{where}: {notice!r} is none of {', '.join(NOTICES)}")
    if not (sentence.strip() and sentence.isprintable() and len(sentence) <= MAX_SENTENCE):
        raise ValueError(
            f"{where}.{notice}: a sentence has 1 to {MAX_SENTENCE} characters on one line"
        )
