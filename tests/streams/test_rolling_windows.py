"""Hour bins: minutes are covered once, sums are exact, and what fits no hour is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.chunks import Chunks, pack, unpack
from streams.windows import RING_HOURS, HourBins, Outcome, Spans

HOUR_H = 490_000
BASE = (HOUR_H - 1) * 3600  # the beginning of hour HOUR_H

Entry = tuple[int, int, float, bool]  # end and period in seconds within the hour, value, revised


def fold(bins: HourBins, entries: list[Entry]) -> list[Outcome]:
    """Outcomes of readings of station 0, PM2.5; those that fit no hour are not handed to the bins."""
    spans = Spans(
        np.array([BASE + end for end, _, _, _ in entries], np.int64),
        np.array([period for _, period, _, _ in entries], np.int32),
        np.array([value for _, _, value, _ in entries], np.float64),
    )
    assert spans.fits.all()
    zeros = np.zeros(len(entries), np.int64)
    revised = np.array([r for _, _, _, r in entries], np.bool_)
    return [Outcome(code) for code in bins.fold(zeros, zeros.astype(np.int8), spans, revised)]


def fresh() -> HourBins:
    bins = HourBins(2)
    bins.move_to(HOUR_H)
    return bins


def mean(bins: HourBins, needed: int = 1) -> float:
    minutes = bins.minutes(HOUR_H, HOUR_H, slice(None))
    return float(bins.means(HOUR_H, minutes, np.array([needed]), slice(None))[0, 0, 0])


def test_a_whole_hour_comes_back_as_it_was_written() -> None:
    for value in (0.1, 23.7, 118.7, 985.0, -1.3):
        bins = fresh()
        assert fold(bins, [(3600, 3600, value, False)]) == [Outcome.COUNTED]
        assert mean(bins, 60) == value


def test_twelve_cycles_make_an_hour_and_nine_are_enough() -> None:
    bins = fresh()
    cycles: list[Entry] = [(300 * n, 300, float(n), False) for n in range(1, 13)]
    fold(bins, cycles[:8])
    assert np.isnan(mean(bins, 45))
    fold(bins, cycles[8:9])
    assert mean(bins, 45) == 5.0
    fold(bins, cycles[9:])
    assert mean(bins, 60) == 6.5


def test_readings_weigh_by_their_minutes() -> None:
    bins = fresh()
    fold(bins, [(2700, 2700, 10.0, False), (3600, 900, 50.0, False)])
    assert mean(bins) == 20.0


def test_what_comes_again_changes_nothing() -> None:
    bins = fresh()
    outcomes = fold(bins, [(300, 300, 10.0, False), (300, 300, 10.0, False), (300, 300, 99.0, False)])
    assert outcomes == [Outcome.COUNTED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert fold(bins, [(300, 300, 10.0, False)]) == [Outcome.DUPLICATE]
    assert mean(bins) == 10.0


def test_readings_that_contradict_each_other_are_named() -> None:
    bins = fresh()
    assert fold(bins, [(600, 600, 10.0, False), (900, 600, 40.0, False)]) == [Outcome.COUNTED, Outcome.OVERLAP]
    assert fold(bins, [(3600, 3600, 12.0, False)]) == [Outcome.OVERLAP]
    assert mean(bins) == 10.0


def test_a_revision_of_the_whole_hour_replaces_it_whatever_came_first() -> None:
    for order in ([0, 1], [1, 0]):
        entries: list[Entry] = [(3600, 3600, 10.0, False), (3600, 3600, 14.0, True)]
        bins = fresh()
        fold(bins, [entries[place] for place in order])
        assert mean(bins, 60) == 14.0
    bins = fresh()
    fold(bins, [(300 * n, 300, 10.0, False) for n in range(1, 6)])
    assert fold(bins, [(3600, 3600, 14.0, True)]) == [Outcome.REVISED]
    assert mean(bins, 60) == 14.0


def test_a_revision_of_a_part_counts_only_where_nothing_was() -> None:
    bins = fresh()
    assert fold(bins, [(300, 300, 10.0, True)]) == [Outcome.COUNTED]
    assert fold(bins, [(300, 300, 12.0, True)]) == [Outcome.PARTIAL_REVISION]
    assert mean(bins) == 10.0


@pytest.mark.parametrize(
    ("end", "period", "fits"),
    [
        (3600, 3600, True),
        (3603, 3600, True),  # stamped three seconds late
        (3597, 3600, True),
        (303, 300, True),
        (3600, 3660, False),
        (3600, 59, False),
        (3900, 600, False),  # ten minutes across the hour
        (60, 60, True),
        (1800, 3600, False),
        (3600, 8 * 3600, False),
    ],
)
def test_periods_that_fit_an_hour(end: int, period: int, fits: bool) -> None:
    spans = Spans(np.array([BASE + end]), np.array([period], np.int32), np.array([1.0]))
    assert spans.fits.tolist() == [fits]


def test_the_ring_forgets_exactly_what_left_it() -> None:
    bins = fresh()
    fold(bins, [(3600, 3600, 10.0, False)])
    bins.move_to(HOUR_H + RING_HOURS - 1)
    assert mean(bins) == 10.0
    bins.move_to(HOUR_H + RING_HOURS)
    assert bins.earliest_data() is None
    bins.move_to(HOUR_H + 24 * 365)
    assert not bins.covered.any()
    assert not bins.sums.any()


ENTRIES = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from([60, 300, 600, 3600]),
        st.integers(-5, 9999).map(lambda v: v / 10),
        st.booleans(),
    ).map(lambda e: (max(e[0] * 300, e[1]), e[1], e[2], e[3] and e[1] in (300, 3600))),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(ENTRIES, st.integers(0, 30))
@example([(900, 300, 1.0, False), (1200, 300, 1.0, False), (1200, 600, 1.0, False)], 0)  # covered by two before it
def test_one_by_one_or_all_at_once(entries: list[Entry], cut: int) -> None:
    single, parts = fresh(), fresh()
    one_by_one = [outcome for entry in entries for outcome in fold(single, [entry])]
    in_parts = fold(parts, entries[:cut]) + fold(parts, entries[cut:])
    assert one_by_one == in_parts
    np.testing.assert_array_equal(single.sums, parts.sums)
    np.testing.assert_array_equal(single.covered, parts.covered)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**43), 2**43 - 1), st.integers(0, 2**60 - 1)), min_size=1, max_size=20))
def test_bins_survive_their_durable_form(bins: list[tuple[int, int]]) -> None:
    count = len(bins)
    chunks = Chunks(
        np.arange(count) + HOUR_H,
        np.arange(count).astype(np.uint16),
        np.arange(count).astype(np.uint32),
        np.array([[total] * 6 for total, _ in bins], np.float64),
        np.array([[covered] * 6 for _, covered in bins], np.uint64),
        np.array([[(number + column) % 16 for column in range(6)] for number in range(count)], np.uint8),
    )
    values = pack(chunks)
    assert {len(value) for value in values} == {89}
    again = unpack(values, chunks.hour % RING_HOURS)
    for name in ("hour", "revision", "checksum", "sums", "covered", "flags"):
        np.testing.assert_array_equal(getattr(again, name), getattr(chunks, name))
