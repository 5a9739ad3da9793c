"""docs/rules.md names what there is."""

from __future__ import annotations

import msgspec

from rules.documentation import PAGE, written
from rules.model import Pack, Rule
from rules.readiness import MEANINGS, Reason
from streams.airsheds import Criterion, Detection, Level

TEXT = PAGE.read_text(encoding="utf-8")


def test_every_setting_is_on_the_page() -> None:
    kinds = (Pack, Rule, Level, Criterion, Detection)
    named = {field.name for kind in kinds for field in msgspec.structs.fields(kind)}
    unexplained = {"name", "names", "step_s"}
    assert sorted(name for name in named - unexplained if name not in TEXT) == []


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    """``python -m rules.documentation`` writes them anew."""
    assert written(TEXT) == TEXT
    assert set(MEANINGS) == set(Reason)
