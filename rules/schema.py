"""The JSON Schema of rule packs. ``python -m rules.schema`` writes the published copy anew."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec

from rules import model
from streams import airsheds

PUBLISHED = Path(__file__).parents[1] / "docs" / "pack.schema.json"


def schema() -> dict[str, Any]:
    """The schema as data. Keys are described by the docstrings of the structs, and no others are allowed."""
    (made,), components = msgspec.json.schema_components([model.Pack])
    for name, component in components.items():
        component["additionalProperties"] = False
        component["description"] = component.get("description", "").partition("\n")[0]
        for key, meaning in _meanings(name).items():
            if key in component.get("properties", {}):
                component["properties"][key]["description"] = meaning
    components["Detection"]["properties"].pop("hourly_status", None)  # set by the loader, not written in packs
    components["LegalDefinition"]["properties"].pop("daily_status", None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Airshed rule pack"}
    return head | made | {"$defs": components}


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


def _meanings(name: str) -> dict[str, str]:
    """What the ``Attributes`` of a struct's docstring say, by key."""
    struct = getattr(model, name, None) or getattr(airsheds, name, None)
    doc = inspect.cleandoc(struct.__doc__ or "") if struct is not None else ""
    _, _, listed = doc.partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    [a-z])", listed):
        keys, separator, meaning = entry.strip().partition(": ")
        if separator:
            plain = " ".join(meaning.split()).replace("``", "")
            found |= dict.fromkeys(keys.split(" / "), plain)
    return found


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
