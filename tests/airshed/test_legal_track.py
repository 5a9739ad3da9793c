"""From readings to the draft: four days of hazardous air in three provinces, under the Vietnamese pack."""

from __future__ import annotations

import numpy as np

from airshed.dry import play
from rules.loading import load_pack
from streams.batches import ReadingBatch
from streams.clock import HOUR_S
from tests.airshed.stations import three_each

PACK = load_pack("vietnam-2026")
START_S = 1_768_150_800  # 12 January 2026, 00:00 in Hà Nội
HOURS = 4 * 24 + 6


def hazardous() -> ReadingBatch:
    """Hourly PM2.5 around 320 µg/m³ (a 24-hour mean of 250 is a VN_AQI of 300) that ends with a storm."""
    stations, hours = 9, np.arange(1, HOURS + 1)
    values = np.where(hours <= 3 * 24 + 12, 320.0, 20.0) + hours % 7 + np.arange(stations)[:, None]
    return ReadingBatch(
        np.repeat(np.arange(stations, dtype=np.int32), HOURS),
        np.zeros(stations * HOURS, np.int8),
        np.tile(START_S + hours * HOUR_S, stations).astype(np.int64),
        np.full(stations * HOURS, HOUR_S, np.int32),
        values.ravel(),
        np.zeros(stations * HOURS, np.int8),
    )


def test_three_days_lead_to_a_draft_for_the_authorities_and_to_nothing_else() -> None:
    steps = list(play([hazardous()], PACK, three_each(PACK.airshed, ("01", "24", "33"))))
    events = [event for step in steps for event in step.outcome.episodes if event.track == "legal"]
    assert [event.kind for event in events] == ["opened", "status", "closed"]
    assert events[0].time.isoformat() == "2026-01-14T17:00:00+00:00"  # the end of the third day
    assert [province.code for province in events[0].provinces] == ["01", "24", "33"]
    assert {(p.level_name, p.valid, p.known) for p in events[0].provinces} == {("serious", 3, 3)}

    notices = [notice for step in steps for notice in step.outcome.notices if notice.episode == events[0].episode]
    assert [(notice.rule, notice.kind, notice.audience.recipients) for notice in notices] == [
        ("legal-draft-inter-provincial", "order-draft", "authorities"),
        ("legal-bulletin", "bulletin", "authorities"),
    ]
    assert notices[0].level_names["vi"] == "ô nhiễm không khí nghiêm trọng"
    told = {notice.kind for step in steps for notice in step.outcome.notices if notice.episode != events[0].episode}
    assert {"advisory", "request"} <= told  # the operational track goes its own way
