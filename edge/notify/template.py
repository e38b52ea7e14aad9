"""A webhook's own JSON: names in braces in its texts are replaced by what they name.

The template is read as JSON before anything is put in, so nothing that is put in can end a text or
add a key. A text that is one name only becomes its value: a number stays a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from edge.config.notify import PLACEHOLDER


def filled(template: str, values: Mapping[str, Any]) -> bytes:
    """Return the document. Raises KeyError for a name that `values` lack, which settings refuse."""
    return msgspec.json.encode(_filled(msgspec.json.decode(template), values))


def _filled(content: Any, values: Mapping[str, Any]) -> Any:
    match content:
        case str():
            if whole := PLACEHOLDER.fullmatch(content):
                return values[whole[1]]
            return PLACEHOLDER.sub(lambda found: _text(values[found[1]]), content)
        case list():
            return [_filled(each, values) for each in content]
        case dict():
            return {key: _filled(value, values) for key, value in content.items()}
        case _:
            return content


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
