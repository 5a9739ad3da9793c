"""Hours of provinces as small tables, and what a tracker makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence

import msgspec

from streams.airsheds import Airshed, Detection, Level, Province
from streams.clock import HOUR_S, utc
from streams.episodes import EpisodeTracker
from streams.quorum import province_state
from streams.schemas import EpisodeEvent, Mark, ProvinceState

FIRST_S = 1_768_176_000  # 2026-01-12T00:00Z
UNKNOWN = None


def airshed(
    borders: str = "AB BC CD",
    *,
    enter_hours: int = 3,
    exit_hours: int = 4,
    enter_24h: int | None = None,
    detection: Detection | None = None,
) -> Airshed:
    """Provinces with one-letter codes that touch as ``borders`` says; levels at 150, 200, 300."""
    pairs = [(pair[0], pair[1]) for pair in borders.split()]
    codes = sorted({code for pair in pairs for code in pair})
    provinces = [
        Province(
            code=code,
            names={"en": f"Province {code}"},
            neighbours=sorted({b for a, b in pairs if a == code} | {a for a, b in pairs if b == code}),
            population=1000,
        )
        for code in codes
    ]
    levels = [
        Level(
            name=name,
            names={"en": name},
            enter=enter,
            exit=leave,
            enter_hours=enter_hours,
            exit_hours=exit_hours,
            enter_24h=enter_24h,
        )
        for name, enter, leave in (("watch", 150, 130), ("alert", 200, 170), ("emergency", 300, 250))
    ]
    return Airshed(
        code="test",
        names={"en": "Test"},
        standard="vn_aqi",
        zone="Asia/Ho_Chi_Minh",
        provinces=provinces,
        levels=levels,
        detection=detection or Detection(together_hours=2, merge_gap_hours=24),
    )


def hour_s(number: int) -> int:
    """Epoch second of the hour of this number; hours count from 1."""
    return FIRST_S + number * HOUR_S


def state(
    region: Airshed, code: str, number: int, index: int | None, *, revision: int = 0, day: int | None = None
) -> ProvinceState:
    """A province whose five stations all show ``index`` (and ``day`` as the 24-hour index)."""
    valid = [] if index is None else [(f"{code}{n}", index, index if day is None else day) for n in range(5)]
    made = province_state(region, code, hour_s(number), 5, valid)
    return msgspec.structs.replace(made, revision=revision)


def series(text: str) -> list[int | None]:
    """``"40*3 ? 180*2"`` → ``[40, 40, 40, None, 180, 180]``; ``?`` is an unknown hour."""
    values: list[int | None] = []
    for word in text.split():
        value, _, count = word.partition("*")
        values += [None if value == "?" else int(value)] * int(count or 1)
    return values


def states(region: Airshed, table: Mapping[str, str]) -> list[list[ProvinceState]]:
    """The province states of every hour of a table: province → series."""
    columns = {code: series(text) for code, text in table.items()}
    length = max(len(column) for column in columns.values())
    assert {len(column) for column in columns.values()} == {length}, {c: len(v) for c, v in columns.items()}
    return [
        [state(region, code, number, column[number - 1]) for code, column in sorted(columns.items())]
        for number in range(1, length + 1)
    ]


def mark(number: int, source: str = "0", of: int = 1) -> Mark:
    """The mark with which the hour of this number is complete."""
    return Mark(utc(hour_s(number) + 600), source, of)


def tracker(region: Airshed, memory: MutableMapping[str, bytes] | None = None) -> EpisodeTracker:
    return EpisodeTracker([region], {} if memory is None else memory, pack="test@1")


def run(stage: EpisodeTracker, hours: Sequence[Sequence[ProvinceState]], first: int = 1) -> list[EpisodeEvent]:
    """Feed hours one after the other, each with its mark."""
    return list(_events(stage, hours, first))


def _events(stage: EpisodeTracker, hours: Sequence[Sequence[ProvinceState]], first: int) -> Iterator[EpisodeEvent]:
    for number, items in enumerate(hours, start=first):
        stage.accept(list(items))
        yield from (item for item in stage.advance(mark(number)) if isinstance(item, EpisodeEvent))


def told(events: Sequence[EpisodeEvent]) -> list[str]:
    """``"5 opened 1 AB"``: hour, kind, level, provinces; for those who went, ``-C``."""
    return [
        " ".join(
            [
                str((int(event.time.timestamp()) - FIRST_S) // HOUR_S),
                event.kind,
                str(event.level),
                "".join(province.code for province in event.provinces)
                + (f"-{''.join(event.left)}" if event.left and event.kind != "closed" else ""),
            ]
        )
        for event in events
    ]


def story(table: Mapping[str, str], region: Airshed | None = None) -> list[str]:
    """What is told about a table of hours."""
    region = region or airshed()
    return story_of(region, states(region, table))


def story_of(region: Airshed, hours: Sequence[Sequence[ProvinceState]]) -> list[str]:
    """What is told about these hours."""
    return told(run(tracker(region), hours))
