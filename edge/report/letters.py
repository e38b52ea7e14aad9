"""The letters of Helvetica, which each PDF reader has: how wide they are, and which there are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

ENCODING = "cp1252"
"""`WinAnsiEncoding` of PDF: the languages of western Europe. Of other letters what comes closest is
written, or `?`; the HTML has them all."""
_FIRST = 32
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 "
    "556 556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 "
    "722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 "
    "556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 "
    "260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 "
    "556 556 556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 "
    "722 778 667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 "
    "556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 "
    "280 389 584"
)
_WIDTHS = {
    is_bold: {chr(_FIRST + place): int(width) for place, width in enumerate(text.split())}
    for is_bold, text in ((False, _REGULAR), (True, _BOLD))
}
"""In thousandths of the size: Adobe's font metrics of the standard 14 fonts."""
_OTHERS = {"–": 556, "—": 1000, "…": 1000, "×": 584, "·": 278, "°": 400, "’": 222}
_USUAL = 556


def writable(text: str) -> str:
    """Return the text with letters that the font has."""
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    try:
        letter.encode(ENCODING)
    except UnicodeEncodeError:
        return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
    return letter if letter.isprintable() else " "


def width_of(text: str, size: float, *, is_bold: bool = False) -> float:
    """Return how wide a line of writable text is, in the unit of `size`."""
    widths = _WIDTHS[is_bold]
    return size / 1000 * sum(widths.get(letter) or _other(letter, widths) for letter in text)


def _other(letter: str, widths: dict[str, int]) -> int:
    """Return the width of an accented letter: that of the letter below the accent."""
    plain = unicodedata.normalize("NFKD", letter)[0]
    return _OTHERS.get(letter) or widths.get(plain, _USUAL)


def wrapped(text: str, width: float, size: float, *, is_bold: bool = False) -> Iterator[str]:
    """Yield lines no wider than `width`; a word that is wider by itself is cut."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if width_of(longer, size, is_bold=is_bold) <= width:
            line = longer
            continue
        if line:
            yield line
        while width_of(word, size, is_bold=is_bold) > width and len(word) > 1:
            fitting = len(word) - 1
            while fitting > 1 and width_of(word[:fitting], size, is_bold=is_bold) > width:
                fitting -= 1
            yield word[:fitting]
            word = word[fitting:]
        line = word
    yield line
