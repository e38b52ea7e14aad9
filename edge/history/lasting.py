"""What stays in the journal however old it is: it still says how things are."""

from __future__ import annotations

from collections.abc import Iterable

from edge.eyes import NetworkPair, eyes_of_qualification, read_qualification


def measurements_in_use(entries: Iterable[tuple[int, str]]) -> set[int]:
    """Return the numbers of those measurements of the eyes that rates may be corrected with.

    Of each camera and pair of networks that is the newest that can be used; one that cannot, from
    pictures for one, replaces none. What a newer release has written cannot be judged here: of that
    the newest stays. `entries` are numbers and texts, the newest last.
    """
    newest: dict[tuple[str, NetworkPair] | None, int] = {}
    for number, text in entries:
        found = read_qualification(text)
        if found is None:
            newest[None] = number
        elif eyes_of_qualification(text, found.networks, found.camera) is not None:
            newest[found.camera, found.networks] = number
    return set(newest.values())
