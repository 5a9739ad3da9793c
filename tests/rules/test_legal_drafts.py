"""Which drafts the legal track leads to, day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from rules.engine import RuleEngine
from rules.loading import load_pack
from streams.schemas import EpisodeEvent
from tests.streams.crashes import undisturbed
from tests.streams.province_hours import tracker
from tests.streams.test_legal import pieces, region, told

VIETNAM = load_pack("vietnam-2026")
Days = Sequence[int | None]


def drafts(table: Mapping[str, Days]) -> list[str]:
    """``"3 inter-provincial AB"``: day, rule, provinces."""
    place = region(provinces=1, daily_status=True)
    events = undisturbed(lambda memory: tracker(place, memory), pieces(table))
    engine = RuleEngine(msgspec.structs.replace(VIETNAM, airshed=place), {}, "exercise")
    return [
        f"{told([event])[0].split()[0]} {notice.rule.removeprefix('legal-draft-')} {''.join(notice.audience.provinces)}"
        for event in events
        if isinstance(event, EpisodeEvent)
        for notice in engine.accept([event])
        if notice.kind == "order-draft"
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param({"A": [301] * 3, "B": [301] * 3}, ["3 inter-provincial AB"], id="the same three days"),
        pytest.param({"A": [301] * 3, "B": [100] * 3}, ["3 provincial A"], id="one province"),
        pytest.param(
            {"A": [301] * 5, "B": [100, 100, 301, 301, 301]},
            ["3 provincial A", "5 inter-provincial AB"],
            id="the second one two days later",
        ),
        pytest.param(
            {"A": [301, 301, 301, None, None], "B": [100, 100, 301, 301, 301]},
            ["3 provincial A", "5 provincial B"],
            id="a case held open over unknown days proves nothing together",
        ),
        pytest.param(
            {"A": [301, 301, 301, None, 301, 301, 301], "B": [100, 100, 301, 301, 301, 301, 301]},
            ["3 provincial A", "5 provincial B", "7 inter-provincial AB"],
            id="three days together after the unknown one",
        ),
        pytest.param(
            {"A": [301] * 4, "B": [301, 301, 301, None], "C": [100, 301, 301, 301]},
            ["3 inter-provincial AB", "4 provincial C"],
            id="connected only by one about which nothing is known",
        ),
    ],
)
def test_which_drafts(table: Mapping[str, Days], expected: list[str]) -> None:
    assert drafts(table) == expected


def test_the_pack_asks_for_the_status_of_its_legal_cases_only() -> None:
    assert VIETNAM.airshed.legal_track is not None
    assert VIETNAM.airshed.legal_track.daily_status
    assert not VIETNAM.airshed.detection.hourly_status
