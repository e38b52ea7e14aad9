"""The payloads as JSON Schema (2020-12): one file for each kind of message, beside this one.

`python -m edge.publish.schemas` makes them from `edge.publish.messages`; a test fails when they are
stale.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from edge.publish.messages import MESSAGES

FOLDER = Path(__file__).parent


def generate(name: str) -> dict[str, Any]:
    """Return the schema of the messages on topic `…/<name>`."""
    return schema_of(MESSAGES[name], name)


def schema_of(kind: Any, name: str) -> dict[str, Any]:
    """Return the schema of the documents of one kind, which is called `name`."""
    schema = msgspec.json.schema(kind)
    definitions = schema["$defs"]
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
        if "properties" in definition:
            # Defaults are for reading what an older program wrote; what we write has every field,
            # but for those that are there with several cameras only: these have no default.
            needed = definition.get("required", ())
            definition["required"] = [
                name
                for name, schema_of in definition["properties"].items()
                if name in needed or "default" in schema_of
            ]
    body = definitions.pop(schema["$ref"].rpartition("/")[2])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tensormask:{name}:1",
        **body,
        "$defs": definitions,
    }


def path_of(name: str) -> Path:
    """Return the file that publishes the schema of the messages on topic `…/<name>`."""
    return FOLDER / f"{name}.json"


def as_text(schema: dict[str, Any]) -> str:
    """Return the schema as it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(schema)).decode() + "\n"
