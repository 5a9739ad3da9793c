"""docs/rules.md names what there is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rules.conditions import VARIABLES
from rules.engine import Reason
from rules.model import Rule
from streams.airsheds import Detection, Level

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def test_every_variable_reason_and_setting_is_on_the_page() -> None:
    named = [*VARIABLES, *Reason, *Rule.__struct_fields__]
    named += [field.name for kind in (Level, Detection) for field in msgspec.structs.fields(kind)]
    unexplained = {"name", "names", "step_s"}
    assert [name for name in named if name not in unexplained and name not in PAGE] == []
