"""The section about the sign: a screen at the door, for the people who come."""

from __future__ import annotations

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
Language = Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
"""A tag as in HTML: `de`, `pt-BR`."""
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class SignSettings(Section, frozen=True):
    """The sign is a part of the page, at `/sign`, and shows a picture of nobody."""

    enabled: bool = False
    token_file: str = ""
    """A file that only the service's user and root can read, or `credential:NAME`: a token on its
    first line, which opens the sign, and nothing else of the page, without the page's password."""
    languages: Annotated[tuple[Language, ...], msgspec.Meta(min_length=1, max_length=3)] = ("en",)
    """Under each other, the first in the largest letters."""
    sentences: dict[Language, dict[Notices, Sentence]] = msgspec.field(default_factory=dict)
    """The owner's own, in place of the sign's, by language."""

    @property
    def files(self) -> tuple[str, ...]:
        """What is named: a path or `credential:NAME`; empty: none."""
        return (self.token_file,)

    def __post_init__(self) -> None:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: one is named twice")
        for language in self.languages:
            missing = [each for each in NOTICES if each not in self.sentences.get(language, {})]
            if language not in LANGUAGES and missing:
                raise ValueError(
                    f"languages: the sign knows {', '.join(LANGUAGES)}; for {language!r} write "
                    f"[sign.sentences.{language}] with {', '.join(missing)}"
                )
        for language in self.sentences:
            if language not in self.languages:
                raise ValueError(f"sentences: {language!r} is not one of languages")
