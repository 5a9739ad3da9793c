"""Who does something by hand, and why: one line, never empty, cut where a page would be too long for it."""

from __future__ import annotations

import pytest

from notifiers.accountable import LONGEST, officer_of, one_line, reason_of
from streams.errors import InputError


def test_line_breaks_and_needless_blanks_are_left_out() -> None:
    assert one_line("  duty\n officer\t7 ") == "duty officer 7"
    assert officer_of(" duty  officer 7", "say who") == "duty officer 7"


def test_a_text_is_cut_only_where_it_is_asked_for() -> None:
    long = "calibration " * 100
    assert len(reason_of(long, "say why", longest=LONGEST)) == LONGEST
    assert reason_of(long, "say why") == long.strip()


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_nothing_is_nobody_and_no_reason(text: str) -> None:
    with pytest.raises(InputError, match=r"officer: nobody is named \(say who\)"):
        officer_of(text, "say who")
    with pytest.raises(InputError, match=r"reason: no reason is given \(say why\)"):
        reason_of(text, "say why")
