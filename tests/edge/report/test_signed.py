"""What is signed is a fixed list of figures: a later release that says more does not change it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from edge.report import records
from edge.report.records import Report, ReportPart
from edge.report.signed import NOT_SIGNED, SIGNED, VERSION, digest_of

OF_VERSION_1 = "022cf0068833004e22111965abfc86ccbe3202da274715ae7f94506619fe17d5"
"""Of a report in which each field has some value, by the first release that signed."""


def filled(kind: Any, name: str = "") -> Any:
    """Return some value of a type, the same each time; a struct has one in each field."""
    match kind:
        case inspect.StructType():
            values = {each.encode_name: filled(each.type, each.name) for each in kind.fields}
            return {kind.cls.__struct_config__.tag_field or "schema": kind.tag, **values}
        case inspect.VarTupleType():
            return [filled(kind.item_type, name)]
        case inspect.UnionType():
            return filled(kind.types[0], name)
        case inspect.EnumType():
            return next(iter(kind.cls))
        case inspect.IntType():
            return 7
        case inspect.FloatType():
            return 0.25
        case inspect.BoolType():
            return True
    return name


def report(kind: type[Any] = Report) -> Report:
    made: Report = msgspec.convert(filled(inspect.type_info(kind)), kind)
    return made


def test_what_the_first_release_signed_is_the_same_for_ever() -> None:
    assert digest_of(report(), 1) == OF_VERSION_1


def test_a_release_that_says_more_in_a_report_does_not_change_what_was_signed() -> None:
    later = msgspec.defstruct(
        "LaterReport", [("color", str, "red")], bases=(Report,), frozen=True, kw_only=True
    )
    grown = report(later)
    assert "color" in msgspec.to_builtins(grown)
    assert digest_of(grown, 1) == OF_VERSION_1


def test_each_field_of_a_report_is_signed_or_said_not_to_be() -> None:
    """A new one: add it to the list of a new version, or to what is not signed."""
    parts = [Report, *(kind for kind in vars(records).values() if is_part(kind))]
    for part in parts:
        signed = frozenset(SIGNED[VERSION].get(part, ()))
        left_out = NOT_SIGNED.get(part, frozenset())
        assert signed | left_out == set(part.__struct_fields__), part
        assert not signed & left_out


def is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, ReportPart) and kind is not ReportPart
