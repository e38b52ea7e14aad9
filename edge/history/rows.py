"""How rows are in the file: times as text that sorts as they do, records by their fields."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from edge.history.records import Place

Row = TypeVar("Row", bound=msgspec.Struct)


def text_of(at: datetime | None) -> str | None:
    """Return a time as text, whole milliseconds of UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")


def flat(row: msgspec.Struct) -> tuple[Any, ...]:
    """Return the values of a row in the order of its fields, a place's two in its stead."""
    values: list[Any] = []
    for each in msgspec.structs.astuple(row):
        if isinstance(each, Place):
            values += (each.camera, each.zone)
        else:
            values.append(text_of(each) if isinstance(each, datetime) else each)
    return tuple(values)


def made(kind: type[Row], values: Iterable[Any]) -> Row:
    """Return the record of these values, which are in the order of its fields."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, values, strict=True)), kind)
