"""Killed at every place between two durable effects, started again: each message stands in the sandbox once."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine, select

from notifiers.database import connect, reading
from notifiers.failpoints import FailpointName
from notifiers.reports import pending
from notifiers.sandbox import Faults, Sandbox
from notifiers.tables import notices
from tests.notifiers.crash_arena import Arena
from tests.notifiers.crash_runs import Run, killed_at
from tests.notifiers.crash_scenarios import Scenario
from tests.notifiers.deaths import PLACES
from tests.notifiers.mortal import Order


def test_no_failpoint_is_without_a_death() -> None:
    assert set(get_args(FailpointName)) - {place.name for place in PLACES} == set()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_killed_at_every_place(engine: Engine, tmp_path: Path) -> None:
    """F1 to F5: each place is come to, dies of its death, and what it was about is sent once all the same."""
    async with Arena.opened(engine, tmp_path) as arena:
        for seed, place in enumerate(PLACES, start=1):
            await killed_at(arena, place, seed)
        assert set(arena.tally.deaths) == {place.name for place in PLACES}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_killed_at_random_moments(engine: Engine, tmp_path: Path) -> None:
    """F6: kill -9 whenever it comes, with a provider that loses answers now and then."""
    chance = random.Random(20260117)
    async with Arena.opened(engine, tmp_path, people=40) as arena:
        run = Run(arena, 1, Scenario(ends=True))
        sms, mail = Faults(delay_s=0.2), Faults(delay_s=0.2)
        run.provider(sms, mail, callback_after_s=0.05)
        kills = 0
        while not done(run.order):
            sms.queue.extend(chance.sample(["drop-accepted", "503", "500-accepted", "slow"], 2))
            mail.queue.extend(chance.sample(["drop-kept", "drop-data", "450", "late-250"], 2))
            ended = await run.life(at_work(arena.sandbox, chance.randint(1, 30), chance.random() / 20))
            assert ended in (0, -signal.SIGKILL)
            kills += ended != 0
        await run.to_the_end()
    assert kills >= 4, "all was done before anybody was killed: kill them earlier"


async def at_work(sandbox: Sandbox, messages: int, further_s: float) -> None:
    """Wait until the provider has so many messages more, and a moment longer."""

    def held() -> int:
        return len(sandbox.phone.messages) + len(sandbox.mailbox.mails)

    wanted = held() + messages
    while held() < wanted:  # noqa: ASYNC110 - the provider counts, it tells nobody
        await asyncio.sleep(0.005)
    await asyncio.sleep(further_s)


def done(order: Order) -> bool:
    """Whether everything that was to be planned is, and nothing of it is left to send."""
    engine = connect(order.url)
    with reading(engine) as connection:
        planned_all = len(connection.execute(select(notices.c.id).where(notices.c.complete == 1)).all())
        left = pending(connection, "exercise")
    engine.dispose()
    return planned_all == len(order.notices) and not any(left.values())
