"""While a long list goes out on one channel, everything else goes on: other channels, the news of it, the watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from notifiers import claims, dispatcher, upkeep
from notifiers.deliveries import Delivery
from notifiers.dispatcher import Dispatcher, OnChange
from notifiers.sandbox import Sandbox
from notifiers.tables import subscribers
from streams import metrics
from tests.notifiers.samples import fill, notice
from tests.notifiers.workplace import dispatching, email_channel, planned, sms_channel

PEOPLE = 60
LIST_S = 6.0  # what the list takes at a tenth of a second each: far longer than anything that is waited for beside it


def a_long_list(engine: Engine, folder: Path) -> None:
    """Sixty people get an advisory by SMS alone; a plant is there to be asked by mail."""
    fill(engine, folder, PEOPLE, 1)
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(channels="sms"))
    planned(engine, notice())


@contextlib.asynccontextmanager
async def busy(engine: Engine, sandbox: Sandbox, on_change: OnChange | None = None) -> AsyncIterator[Dispatcher[Any]]:
    """A dispatcher in the middle of the long list; what is left of it is given up afterwards."""
    slow = sms_channel(sandbox.addresses, concurrency=1)
    sandbox.phone.faults.delay_s = LIST_S / PEOPLE
    sandbox.phone.faults.next("slow", PEOPLE)
    stop = asyncio.Event()
    async with dispatching(engine, [slow, email_channel(sandbox.addresses)], on_change=on_change) as running:
        work = asyncio.create_task(running.run(stop))
        try:
            yield running
        finally:
            stop.set()
            await work


async def until(true: Callable[[], bool], seconds: float = LIST_S / 2) -> None:
    """Return when it is true, or fail."""
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


def at_first(real: Callable[..., Any], condition: Callable[..., bool], error: Exception) -> tuple[Any, list[int]]:
    """The function, but the first calls that fit fail, beyond the second try of the writer; and how many did."""
    failed: list[int] = []

    def flaky(*args: Any, **more: Any) -> Any:
        if len(failed) < 4 and condition(*args):
            failed.append(1)
            raise error
        return real(*args, **more)

    return flaky, failed


DEADLOCK = OperationalError("UPDATE", {}, Exception("deadlock detected"))


async def test_one_error_of_the_watch_stops_no_other_channel(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single deadlock while a list of hours was under way: nothing but that list was served until it was through."""
    monkeypatch.setattr(dispatcher, "_EXPIRE_EVERY_S", 0.05)
    monkeypatch.setattr(dispatcher, "_EXPIRE_REST", 0.0)
    monkeypatch.setattr(dispatcher, "_AFTER_ERROR_S", 0.1)
    a_long_list(engine, tmp_path)
    async with busy(engine, sandbox) as running:
        await until(lambda: len(sandbox.phone.messages) > 2)
        flaky, failed = at_first(upkeep.expire, lambda *_: True, DEADLOCK)
        monkeypatch.setattr(upkeep, "expire", flaky)
        await until(lambda: bool(failed))
        failed_s = running.alive_s
        await asyncio.to_thread(planned, engine, notice("request", recipients="facilities", priority=0))
        await until(lambda: len(sandbox.mailbox.mails) == 1)
        await until(lambda: running.alive_s > failed_s + 0.2)
        assert len(sandbox.phone.messages) < PEOPLE, "the list was still under way"


async def test_one_error_of_a_lane_rests_that_lane_alone(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane of the mails meets a deadlock; it is tried again while the list of the other goes on."""
    monkeypatch.setattr(dispatcher, "_AFTER_ERROR_S", 0.1)
    a_long_list(engine, tmp_path)
    flaky, failed = at_first(claims.take, lambda _, who, *__: who.channel == "email", DEADLOCK)
    monkeypatch.setattr(claims, "take", flaky)
    planned(engine, notice("request", recipients="facilities", priority=0))
    async with busy(engine, sandbox):
        await until(lambda: len(sandbox.mailbox.mails) == 1)
        assert failed
        assert len(sandbox.phone.messages) < PEOPLE, "the list was still under way"


async def test_the_news_of_a_long_list_is_published_while_it_goes_out(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    a_long_list(engine, tmp_path)
    told: list[Delivery] = []

    async def listen(changes: list[Delivery]) -> None:
        told.extend(changes)

    metrics.DELIVERIES_PENDING.labels("planned").set(-1)
    async with busy(engine, sandbox, listen):
        await until(lambda: len(told) >= 3)
        await until(lambda: metrics.value("airshed_deliveries_pending", state="planned") > 0)
        assert len(sandbox.phone.messages) < PEOPLE, "the list was still under way"
    assert len({one.id for one in told}) == len(told) == len(sandbox.phone.messages), "the last news come at the stop"


@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_a_topic_that_is_away_holds_up_no_warning(
    sqlite_engine: Engine, sandbox: Sandbox, tmp_path: Path, fault: str
) -> None:
    """Whether the cluster refuses or is silent: what is planned meanwhile goes out, and is published afterwards."""
    fill(sqlite_engine, tmp_path, 3, 0)
    back, tries, told = asyncio.Event(), list[int](), list[Delivery]()

    async def away(changes: list[Delivery]) -> None:
        tries.append(len(changes))
        if fault == "hangs":
            await back.wait()
        elif not back.is_set():
            raise ConnectionError("the topic is away")
        told.extend(changes)

    stop = asyncio.Event()
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(sqlite_engine, channels, on_change=away) as running:
        work = asyncio.create_task(running.run(stop))
        planned(sqlite_engine, notice())
        await until(lambda: bool(tries))
        planned(sqlite_engine, notice(transition=2, hours=1, level=3, priority=0))
        await until(lambda: len(sandbox.phone.messages) == len(sandbox.mailbox.mails) == 6)
        assert not told
        back.set()
        stop.set()
        await work
    assert len({one.id for one in told if one.state == "sent"}) == 12
