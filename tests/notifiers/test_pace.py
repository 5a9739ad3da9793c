"""Rates over all dispatchers, the breaker as a state machine, and what overtakes what under load."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Engine, update

from notifiers import claims, pacing
from notifiers.claims import Claimant
from notifiers.pace import Backoff, Breaker
from notifiers.pacing import Limit
from notifiers.sandbox import Sandbox
from notifiers.settings import ChannelPace
from notifiers.tables import ledger
from tests.notifiers.samples import fill, notice
from tests.notifiers.workplace import QUICK, dispatching, email_channel, found, planned, sms_channel


class BreakerMachine(RuleBasedStateMachine):
    """A provider that comes and goes. The model knows when it was last heard of, and nothing of waits."""

    def __init__(self) -> None:
        super().__init__()
        self.backoff = Backoff(first_s=2.0, longest_s=60.0)
        self.breaker = Breaker(self.backoff)
        self.chance = random.Random(7)
        self.now_s = 1000.0
        self.down_since_s: float | None = None
        self.latest_failure_s = 0.0

    @rule(seconds=st.floats(0.0, 200.0))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: self.breaker.allowed(self.now_s, 8) > 0)
    @rule()
    def a_message_fails(self) -> None:
        first = self.breaker.failed(self.now_s, self.chance)
        assert first is (self.down_since_s is None), "an outage is told once"
        self.latest_failure_s = self.now_s
        if self.down_since_s is None:
            self.down_since_s = self.now_s

    @precondition(lambda self: self.down_since_s is not None)
    @rule(under_way=st.integers(1, 7))
    def those_under_way_fail_too(self, under_way: int) -> None:
        for _ in range(under_way):
            assert not self.breaker.failed(self.now_s, self.chance)
        self.latest_failure_s = self.now_s if self.breaker.allowed(self.now_s, 8) == 0 else self.latest_failure_s

    @rule()
    def a_message_is_taken(self) -> None:
        assert self.breaker.succeeded() is (self.down_since_s is not None)
        self.down_since_s = None

    @invariant()
    def open_while_down(self) -> None:
        assert self.breaker.is_open is (self.down_since_s is not None)
        expected_s = 0.0 if self.down_since_s is None else self.now_s - self.down_since_s
        assert self.breaker.open_for_s(self.now_s) == expected_s

    @invariant()
    def nothing_is_hammered_and_nothing_waits_for_ever(self) -> None:
        allowed = self.breaker.allowed(self.now_s, 8)
        assert allowed == 8 if self.down_since_s is None else allowed in (0, 1)
        later_s = self.now_s + self.backoff.longest_s
        assert self.breaker.allowed(later_s, 8) >= 1, "a probe within the longest wait"


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_a_wait_is_within_its_bounds(attempt: int, seed: int) -> None:
    backoff = Backoff(first_s=2.0, longest_s=600.0)
    bound = min(600.0, 2.0 * 2 ** min(attempt - 1, 30))
    assert bound / 2 <= backoff.wait_s(attempt, random.Random(seed)) <= bound


def test_a_sender_starts_no_more_segments_than_its_rate(engine: Engine) -> None:
    """A long code, one segment per second: messages of 1, 3 and 2 parts start 1 and then 3 seconds apart."""
    starts = []
    with engine.begin() as connection:
        for parts in (1, 3, 2, 1):
            limit = Limit("exercise:sms:AIRSHED", 1.0, units=parts)
            starts.append(pacing.reserve(connection, [limit], 100.0, urgent=False).at_s)
        later = pacing.reserve(connection, [Limit("exercise:sms:AIRSHED", 1.0)], 200.0, urgent=False).at_s
        other = pacing.reserve(connection, [Limit("exercise:sms:OTHER", 1.0)], 100.0, urgent=False).at_s
    assert starts == [100.0, 101.0, 104.0, 106.0]
    assert later == 200.0, "unused starts are not saved up"
    assert other == 100.0, "a rate belongs to one sender"


def test_the_slower_of_two_limits_counts_and_a_full_minute_says_so(sqlite_engine: Engine) -> None:
    channel, sender = Limit("exercise:sms", 10.0, per_minute=2), Limit("exercise:sms:AIRSHED", 1.0, units=2)
    with sqlite_engine.begin() as connection:

        def at(machine_s: float, *, urgent: bool = False) -> tuple[float, bool]:
            start = pacing.reserve(connection, [channel, sender], machine_s, urgent=urgent)
            return start.at_s, start.minute_is_full

        assert at(60.0) == (60.0, False)
        assert at(60.0) == (62.0, False)
        assert at(61.0) == (64.0, True), "takes nothing"
        assert at(61.0, urgent=True) == (64.0, True), "takes its start all the same"
        assert at(120.0) == (120.0, False), "the next minute"


async def test_two_dispatchers_share_one_rate(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 20, 0)
    planned(engine, notice())
    paced = replace(QUICK, paces={"sms": ChannelPace(per_second=20.0)})
    loop = asyncio.get_running_loop()

    async def work(worker: str) -> None:
        async with dispatching(engine, [sms_channel(sandbox.addresses)], worker=worker, settings=paced) as dispatcher:
            while any(d.state != "sent" for d in found(engine) if d.channel == "sms"):
                await dispatcher.drain(0.0)

    started = loop.time()
    await asyncio.gather(work("w1"), work("w2"))
    assert len(sandbox.phone.messages) == 20
    assert loop.time() - started >= 19 / 20


def words_in_order(sandbox: Sandbox) -> Sequence[str]:
    return [sms.body for sms in sandbox.phone.messages.values()]


async def test_what_is_urgent_overtakes_a_standing_load(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """A long list of advisories under way on a slow sender; then a request. It waits for no more than is in hand."""
    fill(engine, tmp_path, 60, 3)
    planned(engine, notice())
    slow = replace(QUICK, paces={"sms": ChannelPace(segments_per_second=20.0)})
    end = asyncio.Event()
    async with dispatching(engine, [sms_channel(sandbox.addresses)], settings=slow) as dispatcher:
        running = asyncio.create_task(dispatcher.run(end))
        for _ in range(200):
            if len(sandbox.phone.messages) >= 10:
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(planned, engine, notice("request", recipients="facilities", priority=0))
        at_plan = len(sandbox.phone.messages)
        for _ in range(400):
            if sum(d.kind == "request" and d.state == "sent" for d in found(engine)) == 3:
                break
            await asyncio.sleep(0.05)
        end.set()
        await running
    order = words_in_order(sandbox)
    places = [place for place, body in enumerate(order) if "http" in body]
    assert len(places) == 3
    assert len(order) < 60, "the load was still standing"
    assert max(places) - at_plan <= 8 + 3, "no more than the channel's eight places went before it"


async def test_what_is_urgent_does_not_wait_for_a_long_list_on_another_channel(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The mail server takes its time with a long list; a request by SMS goes out meanwhile."""
    fill(sqlite_engine, tmp_path, 60, 2)
    planned(sqlite_engine, notice("bulletin", template="correction"))
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).where(ledger.c.channel == "sms").values(state="sent"))
    slow = replace(QUICK, paces={"email": ChannelPace(per_second=10.0)})
    end = asyncio.Event()
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, settings=slow) as dispatcher:
        running = asyncio.create_task(dispatcher.run(end))
        for _ in range(100):
            if sandbox.mailbox.mails:
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(planned, sqlite_engine, notice("request", recipients="facilities", priority=0))
        for _ in range(60):
            if len(sandbox.phone.messages) == 2:
                break
            await asyncio.sleep(0.05)
        assert len(sandbox.phone.messages) == 2
        assert len(sandbox.mailbox.mails) < 50, "the list was still under way"
        end.set()
        await running


@pytest.mark.parametrize("limit", [1, 2, 5, 8])
def test_a_long_list_starves_no_later_one(engine: Engine, tmp_path: Path, limit: int) -> None:
    """Hà Nội's list is long and an hour older; its neighbours' are through after as many claims as they are long."""
    fill(engine, tmp_path, 90, 0)
    everybody, later = (
        notice(provinces=["01", "24"]),
        [notice("bulletin", provinces=["24"], transition=n, hours=n, template="correction") for n in (2, 3)],
    )
    planned(engine, everybody, *later)
    who = Claimant("exercise", "sms", "w", 60.0)
    kinds: list[str] = []
    with engine.begin() as connection:
        small = connection.execute(update(ledger).where(ledger.c.kind == "bulletin").values(recipient="other"))
        assert small.rowcount == 180
        for turn in range(400):
            rows = claims.take(connection, who, limit, 1e12, 0.0, turn=turn).rows
            kinds += [row.kind for row in rows]
            done = update(ledger).where(ledger.c.id.in_([row.id for row in rows]))
            connection.execute(done.values(state="sent"))
            if kinds.count("bulletin") >= 30:
                break
    assert kinds.count("advisory") <= 30 + 2 * limit, "in the same measure, not after the long one"
