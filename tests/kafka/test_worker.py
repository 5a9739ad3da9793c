"""The worker on a real broker: nothing lost, nothing counted twice, in order, whatever happens to it."""

from __future__ import annotations

import random

import pytest

from streams.topics import PROVINCES, READINGS, STATIONS
from tests.kafka.cluster import Installation, decoded, distinct
from tests.kafka.counting import Tally, Total, moment

STATIONS_N = 7


def expected(steps: int, per_step: int) -> list[Total]:
    """What the counting stages must say of ``fill(range(steps), stations=STATIONS_N, per_step=per_step)``."""
    return [_total(step, (step + 1) * per_step) for step in range(steps)]


def _total(step: int, numbers: int) -> Total:
    return Total("all", moment(step), STATIONS_N, STATIONS_N * numbers, STATIONS_N * numbers * (numbers - 1) // 2, 0)


def totals(installation: Installation, steps: int) -> list[Total]:
    """The totals said so far, once the last step is among them."""
    wanted = moment(steps - 1)
    return installation.wait_for(PROVINCES, lambda items: any(t.mark == wanted for t in items), Total)


def test_every_item_is_counted_once_and_in_order(installation: Installation) -> None:
    installation.fill(range(5), stations=STATIONS_N, per_step=40)
    worker = installation.worker()
    assert totals(installation, 5) == expected(5, 40)
    assert worker.stop() == 0


def test_a_stopped_worker_has_committed_everything(installation: Installation) -> None:
    installation.fill(range(3), stations=STATIONS_N, per_step=20)
    worker = installation.worker()
    totals(installation, 3)
    assert worker.stop() == 0
    ends = {part: offset + 1 for part, offset, _ in installation.messages(READINGS)}
    assert installation.committed(READINGS) == ends


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments_the_same_is_said(installation: Installation, seed: int) -> None:
    """Twelve kills while work flows in; afterwards the outputs, repetitions removed, are those of a quiet run."""
    moments = random.Random(seed)
    steps, per_step = 12, 150
    for step in range(steps):
        worker = installation.worker()
        worker.wait_until_ready()
        installation.fill([step], stations=STATIONS_N, per_step=per_step)
        __import__("time").sleep(moments.uniform(0.0, 0.12))
        worker.kill()
    installation.worker()
    said = totals(installation, steps)
    assert distinct(said) == expected(steps, per_step)
    tallies = distinct(decoded(installation.raw(STATIONS), Tally))
    assert len({(t.station, t.mark) for t in tallies}) == len(tallies), "one tally said in two versions"
