"""The JSON Schema for editors: current, and of one mind with the loader about packs."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from rules.documents import read_document
from rules.loading import packaged_packs
from rules.schema import PUBLISHED, schema, text

PACKS = resources.files("rules") / "packs"


def data(name: str) -> Any:
    return read_document(name, (PACKS / f"{name}.yaml").read_bytes()).value


def errors(value: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema()).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def test_the_published_copy_is_current() -> None:
    """``python -m rules.schema`` writes it anew."""
    assert PUBLISHED.read_text(encoding="utf-8") == text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text()))


@pytest.mark.parametrize("name", packaged_packs())
def test_packaged_packs_fit_and_name_it(name: str) -> None:
    assert errors(data(name)) == []
    first = (PACKS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../docs/pack.schema.json"


def test_slips_are_marked() -> None:
    pack = data("korea")
    pack["rules"][0]["wehn"] = "true"
    pack["rules"][1]["approval"] = "boss"
    pack["airshed"]["levels"][0]["enter"] = "high"
    pack["airshed"]["detection"]["hourly_status"] = True
    assert sorted(error.partition(":")[0] for error in errors(pack)) == [
        "airshed/detection",
        "airshed/levels/0/enter",
        "rules/0",
        "rules/1/approval",
    ]


def test_every_key_of_a_rule_is_explained() -> None:
    properties = schema()["$defs"]["Rule"]["properties"]
    unexplained = [name for name, value in properties.items() if "description" not in value]
    assert unexplained == ["notice", "audience"]
