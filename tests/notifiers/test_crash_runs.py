"""Killed at every commit and in between, a thousand ways: everybody gets every message once, and nothing is guessed.

Every death is that of a real process (``os._exit`` just before or after a commit or at a failpoint, all in turn:
:mod:`tests.notifiers.deaths`; or SIGKILL at a random moment); planning, sending and the webhook for callbacks die
together, as in ``airshed up``. The provider is the sandbox over real HTTP and SMTP: slow, failing, losing answers,
answering late or too late, reporting twice, in disorder or never, to a webhook that may be away; one channel down for a
while, handsets that are off, a plant that answers its request or does not (:mod:`tests.notifiers.crash_scenarios`).

``AIRSHED_CRASHES=1000 pytest tests/notifiers/test_crash_runs.py -s`` for as many runs on each database, with figures;
``AIRSHED_CRASHES_FROM`` is the first seed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.notifiers.crash_arena import Arena
from tests.notifiers.crash_runs import killed_at_random

RUNS = int(os.environ.get("AIRSHED_CRASHES", "8"))
FIRST_SEED = int(os.environ.get("AIRSHED_CRASHES_FROM", "1"))


@pytest.mark.slow
@pytest.mark.timeout(7_200 if RUNS > 100 else 900)
async def test_everybody_gets_every_message_once_however_often_everything_dies(engine: Engine, tmp_path: Path) -> None:
    async with Arena.opened(engine, tmp_path) as arena:
        tally = arena.tally
        for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
            await killed_at_random(arena, seed)
            if tally.runs % 100 == 0:
                print(f"\n{engine.dialect.name}: {tally.text()}", flush=True)
    print(f"\n{engine.dialect.name}: {tally.text()}")
    assert tally.runs == RUNS
    assert tally.died >= RUNS * 0.7, "the deaths no longer hit the work"
    place, times = tally.rarest()
    assert RUNS < 300 or times >= tally.died / 100, f"only {times} of {tally.died} deaths {place}"
