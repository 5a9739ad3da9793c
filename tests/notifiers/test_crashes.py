"""Killed at every point between two durable effects, started again: each message stands in the sandbox once."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from sqlalchemy import Engine

from notifiers.failpoints import FailpointName
from notifiers.sandbox import Sandbox
from tests.notifiers.crashing import CRASHED
from tests.notifiers.samples import fill, notice
from tests.notifiers.test_dispatcher import received
from tests.notifiers.workplace import found, planned

EPISODE = "red-river-delta-20260117T06-01"
POINTS = get_args(FailpointName)


async def dispatch(engine: Engine, sandbox: Sandbox, point: str, nth: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.notifiers.crashing",
        engine.url.render_as_string(hide_password=False),
        msgspec.json.encode(sandbox.addresses).decode(),
        point,
        str(nth),
        cwd=Path(__file__).parents[2],
    )


def prepare(engine: Engine, folder: Path, subscribers: int = 3) -> None:
    fill(engine, folder, subscribers, 1)
    planned(
        engine,
        notice(),
        notice("request", recipients="facilities"),
        notice("all-clear", level=0, transition=2, hours=1, told_in=EPISODE),
    )


def check(engine: Engine, sandbox: Sandbox, messages: int) -> None:
    assert set(received(sandbox).values()) == {1}, "a message twice"
    assert len(received(sandbox)) == messages, "a message lost"
    assert {(d.state, d.reason) for d in found(engine)} == {("sent", "accepted")}, "as in a run without a crash"


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_point(engine: Engine, sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    """F1 to F5, for the first and a later message. The look-up points are reached only when an answer was lost."""
    prepare(engine, tmp_path)
    for nth in (1, 3):
        if "reconcile" in point:
            sandbox.phone.faults.next("drop-accepted")
            sandbox.mailbox.faults.next("drop-data")
        process = await dispatch(engine, sandbox, point, nth)
        assert await process.wait() in (CRASHED, 0)
    process = await dispatch(engine, sandbox, "none", 0)
    assert await process.wait() == 0
    check(engine, sandbox, messages=14)


@pytest.mark.parametrize("point", ["after-sending-mark", "after-accept"])
async def test_the_failpoints_do_kill(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    prepare(sqlite_engine, tmp_path)
    process = await dispatch(sqlite_engine, sandbox, point, 1)
    assert await process.wait() == CRASHED
    accepted = len(sandbox.phone.messages) + len(sandbox.mailbox.mails)
    assert (accepted > 0) is (point == "after-accept")


@pytest.mark.slow
async def test_killed_at_random_moments(sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """F6: kill -9 whenever it comes, with a provider that loses answers now and then. Seeded moments."""
    prepare(sqlite_engine, tmp_path, subscribers=60)
    chance = random.Random(20260117)
    kills = 0
    for _ in range(14):
        sandbox.phone.faults.queue.extend(chance.sample(["drop-accepted", "503", "500-accepted", "slow"], 2))
        sandbox.mailbox.faults.queue.extend(chance.sample(["drop-kept", "drop-data", "450", "late-250"], 2))
        sandbox.phone.faults.delay_s = sandbox.mailbox.faults.delay_s = 0.2
        process = await dispatch(sqlite_engine, sandbox, "none", 0)
        try:
            await asyncio.wait_for(process.wait(), 0.9 + chance.random() * 0.5)
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            kills += 1
    process = await dispatch(sqlite_engine, sandbox, "none", 0)
    assert await process.wait() == 0
    check(sqlite_engine, sandbox, messages=60 * 4 + 2)
    assert kills >= 3, "the moments no longer hit the work: make them earlier"
    assert Counter(d.kind for d in found(sqlite_engine)) == {"advisory": 120, "all-clear": 120, "request": 2}
