"""Times on the command line: with an offset or not at all, because nobody can tell which zone was meant."""

from __future__ import annotations

import pytest

from airshed.commands.moments import seconds_of
from streams.errors import InputError


@pytest.mark.parametrize("text", ["2026-01-14T05:00+07:00", "2026-01-13T22:00Z"])
def test_any_offset_will_do(text: str) -> None:
    assert seconds_of(text, "--at") == 1_768_341_600


@pytest.mark.parametrize("text", ["2026-01-14T05:00", "2026-01-14", "tomorrow", ""])
def test_a_time_without_an_offset_is_refused_by_the_option_it_was_given_to(text: str) -> None:
    with pytest.raises(InputError, match=r"--until: .* is no time with an offset"):
        seconds_of(text, "--until")
