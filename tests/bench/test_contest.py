"""The contest on a small topic: every engine that this machine can run says the same hourly means."""

from __future__ import annotations

import importlib.util

import pytest

from airshed.kafka.broker import why_missing
from bench import checks
from bench.contest import ENGINES, contest
from bench.workload import START_S, Workload
from tests.conftest import missing

SMALL = Workload(stations=20, readings=20 * 6 * (3 * 12 + 3))
"""Three hours and a quarter."""


def test_means_are_those_of_the_values() -> None:
    means = SMALL.means(SMALL.readings)
    assert len(means) == 3 * 20 * 6
    code = SMALL.codes[7]
    assert means[code, "o3", START_S + 2 * 3600] == pytest.approx(SMALL.values[12:24, 7, 2].mean())


def test_an_hour_counts_once_its_grace_is_over() -> None:
    to_the_end_of_the_grace = SMALL.per_step * 14
    assert SMALL.closed_hours(to_the_end_of_the_grace) == 1
    assert SMALL.closed_hours(to_the_end_of_the_grace - SMALL.per_step) == 0
    assert SMALL.closed_hours(SMALL.readings_of_hours(2)) == 2


def test_another_mean_and_a_missing_one_are_named() -> None:
    expected = {("a", "pm25", START_S): 10.0, ("a", "co", START_S): 900.0}
    checks.check("right", expected | {("a", "co", START_S + 3600): 1.0}, expected)
    with pytest.raises(checks.DisagreementError, match=r"a pm25 2026-01-12T00:00:00\+07:00: 10.1, should be 10.0"):
        checks.check("wrong", expected | {("a", "pm25", START_S): 10.1}, expected)
    with pytest.raises(checks.DisagreementError, match="1 are missing"):
        checks.check("silent", {("a", "pm25", START_S): 10.0}, expected)


@pytest.mark.kafka
@pytest.mark.slow
def test_engines_agree(request: pytest.FixtureRequest) -> None:
    if reason := why_missing():
        missing(request, "kafka", reason)
    names = ["airshed", "faust", "streams", "fetch", "decode"]
    if importlib.util.find_spec("quixstreams"):  # only in the environment of `make bench`
        names.append("quix")
    standings = contest(SMALL, names, repetitions=1)
    for name in names:
        (run,) = standings[name].runs
        assert run.readings >= SMALL.readings_of_hours(1), name
        assert run.means == (0 if ENGINES[name].means is None else len(SMALL.means(run.readings))), name
        assert run.cpu > 0
