"""Episodes and notices made by hand, in hours since the first."""

from __future__ import annotations

from typing import Any

from airshed.backtesting.tallies import Told
from rules.notices import NoticeKind, Recipients
from streams.clock import HOUR_S, utc
from streams.schemas import EpisodeEvent, EpisodeProvince, TransitionKind

START_S = 1_768_150_800
"""12 January 2026, 00:00 in Hà Nội."""


def told(
    hour: int,
    kind: NoticeKind = "advisory",
    provinces: str = "01",
    *,
    level: int = 1,
    recipients: Recipients = "residents",
    told_in: str | None = None,
    episode: str = "E",
    rule: str = "",
    lateness_s: int = 600,
    lapsed: bool = False,
) -> Told:
    """A notice; ``provinces`` separated by spaces."""
    time_s = START_S + hour * HOUR_S
    return Told(
        id=f"{rule or kind}-{hour}-{provinces}-{level}",
        kind=kind,
        rule=rule or kind,
        recipients=recipients,
        provinces=tuple(provinces.split()),
        levels=dict.fromkeys(provinces.split(), level),
        told_in=told_in,
        level=level,
        level_name=f"level {level}",
        episode=episode,
        time_s=time_s,
        sent_s=time_s + lateness_s,
        lapsed=lapsed,
        reason="made by hand",
    )


def event(
    hour: int, kind: TransitionKind, level: int, provinces: str, *, episode: str = "E", **changes: Any
) -> EpisodeEvent:
    """A transition; ``provinces`` separated by spaces."""
    members = [
        EpisodeProvince(
            code=code,
            name=code,
            level=level,
            level_name=f"level {level}",
            since=utc(START_S + hour * HOUR_S),
            median_index=160,
            median_index_24h=155,
            valid=3,
            known=3,
            stations=[],
        )
        for code in provinces.split()
    ]
    values: dict[str, Any] = {
        "episode": episode,
        "airshed": "x",
        "transition": 1,
        "kind": kind,
        "time": utc(START_S + hour * HOUR_S),
        "onset": utc(START_S + (hour - 9) * HOUR_S),
        "level": level,
        "level_name": f"level {level}",
        "previous_level": 0,
        "peak_level": level,
        "provinces": members,
        "joined": [],
        "left": [],
        "population": 1_000,
        "reason": "made by hand",
        "pack": "x@1",
    }
    return EpisodeEvent(**values | changes)
