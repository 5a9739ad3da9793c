"""What of the index stage's output goes out: no flood of provisional values, every final one, and the current ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from airshed.kafka.publication import IndexPublication
from streams.schemas import Mark, StationIndex
from streams.topics import CURRENT

START = datetime(2026, 1, 14, tzinfo=UTC)
PARTITIONS = 3


def record(station: str, hour: int, index: int, *, final: bool, revision: int = 0) -> StationIndex:
    """A record as the index stage says it; only what publication looks at differs."""
    return StationIndex(
        airshed="red-river-delta",
        province="01",
        station=station,
        station_class="reference",
        time=START + timedelta(hours=hour),
        product="hour",
        standard="vn_aqi",
        index=index,
        category=None,
        dominant="pm25",
        sub={"pm25": index},
        concentration={},
        trailing_24h={},
        index_24h=None,
        completeness={},
        final=final,
        revision=revision,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[list[Any]]:
    """Batches of what the stage says: hours open and close in order, closed ones are revised."""
    batches: list[list[Any]] = [[]]
    for hour in range(draw(st.integers(1, 5))):
        for _ in range(draw(st.integers(0, 4))):
            for station in draw(st.sets(st.sampled_from(["a", "b", "c"]))):
                batches[-1].append(record(station, hour + 1, draw(st.integers(50, 53)), final=False))
            batches[-1].append(Mark(START + timedelta(hours=hour, minutes=5), "0"))
            if draw(st.booleans()):
                batches.append([])
        batches[-1] += [record(station, hour + 1, 60 + hour, final=True) for station in ("a", "b", "c")]
        for station in draw(st.sets(st.sampled_from(["a", "b"]))):
            batches[-1].append(record(station, draw(st.integers(1, hour + 1)), 70, final=True, revision=1))
    return batches


def published(batches: Sequence[Sequence[Any]]) -> tuple[list[list[Any]], list[list[StationIndex]]]:
    """What goes out on the two topics, by batch."""
    publication = IndexPublication(PARTITIONS)
    said = [publication.select(batch) for batch in batches]
    again = IndexPublication(PARTITIONS)
    current = []
    for batch in batches:
        messages = list(again.also(again.select(batch)))
        assert all(message.topic == CURRENT for message in messages)
        current.append([msgspec.json.decode(message.value or b"", type=StationIndex) for message in messages])
    return said, current


@given(histories())
def test_every_final_record_and_every_mark_goes_out_in_order(batches: list[list[Any]]) -> None:
    said, _ = published(batches)

    def kept(items: Sequence[Any]) -> list[Any]:
        return [item for item in items if isinstance(item, Mark) or item.final]

    assert [kept(batch) for batch in said] == [kept(batch) for batch in batches]


@given(histories())
def test_a_station_says_an_open_hour_once_per_batch_and_only_when_it_has_changed(batches: list[list[Any]]) -> None:
    said, _ = published(batches)
    last: dict[tuple[str, datetime], int | None] = {}
    for batch in said:
        open_hours = [item for item in batch if isinstance(item, StationIndex) and not item.final]
        places = [(item.station, item.time) for item in open_hours]
        assert len(set(places)) == len(places)
        for place, item in zip(places, open_hours, strict=True):
            assert last.get(place) != item.index
            last[place] = item.index


@given(histories())
def test_nothing_that_changed_is_left_unsaid(batches: list[list[Any]]) -> None:
    """After each batch, whoever heard only what went out knows the same of every station and hour."""
    said, _ = published(batches)
    whole: dict[Any, Any] = {}
    heard: dict[Any, Any] = {}
    for everything, selected in zip(batches, said, strict=True):
        for items, known in ((everything, whole), (selected, heard)):
            known.update(((i.station, i.time), (i.index, i.final)) for i in items if isinstance(i, StationIndex))
        assert heard == whole


@given(histories())
def test_the_current_value_is_the_latest_word_on_the_newest_hour(batches: list[list[Any]]) -> None:
    said, current = published(batches)
    newest: dict[str, StationIndex] = {}
    shown: dict[str, StationIndex] = {}
    for selected, values in zip(said, current, strict=True):
        for item in selected:
            if isinstance(item, StationIndex) and item.time >= newest.get(item.station, item).time:
                newest[item.station] = item
        assert len({value.station for value in values}) == len(values), "one current value per station and batch"
        shown |= {value.station: value for value in values}
        assert shown == newest


def test_after_a_start_a_revision_does_not_replace_what_may_be_newer() -> None:
    publication = IndexPublication(PARTITIONS)
    assert not list(publication.also([record("a", 1, 70, final=True, revision=1)]))
    assert list(publication.also([record("a", 2, 80, final=False)]))
