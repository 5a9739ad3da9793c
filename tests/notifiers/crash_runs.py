"""Randomised runs that end in death again and again. One seed, one run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from notifiers.database import connect
from notifiers.sandbox.faults import Faults
from tests.notifiers.crash_arena import Arena
from tests.notifiers.crash_chances import (
    CALLBACK_S,
    MAIL_LOST,
    SMS_LOST,
    faults,
    in_turn,
    places_of_death,
    scenario_for,
)
from tests.notifiers.crash_clock import CommonClock
from tests.notifiers.crash_outcome import Outcome, plant_number
from tests.notifiers.crash_plant import Plant
from tests.notifiers.crash_scenarios import Scenario
from tests.notifiers.crash_tally import RANDOM_MOMENT
from tests.notifiers.deaths import DIED, Death, Place
from tests.notifiers.mortal import TIMEOUT_S, Order, links_of

_ANSWER = re.compile(r"lost answer looked up.*?(Found|Absent|Unknowable)")
_DELAYED = ("slow", "stall", "slow-banner", "late-250")
_SHORT_LEASE_S = 2.0
_OUTAGE_LEFT = 8
"""Requests that a channel takes nothing of when the last life begins, at most: some tenths of a second."""


async def killed_at(arena: Arena, place: Place, seed: int) -> None:
    """Die at a place, at its first passing, and live on. The provider does only what leads there."""
    chance = random.Random(seed)
    run = Run(arena, seed, scenario_for(place, chance))
    run.provider(Faults(delay_s=0.1), Faults(delay_s=0.1), callback_after_s=0.0)
    if place.needs == "an earlier death":
        assert await run.life(death=Death("after-claim", 1)) == DIED
    run.make_way_to(place, chance)
    ended = await run.life(death=Death(place.name, 1), listen_s=1.0)
    assert ended == DIED, f"nobody came to the place {place.name!r} (status {ended}):\n{run.log}"
    arena.tally.deaths[place.name] += 1
    await run.to_the_end()


async def killed_at_random(arena: Arena, seed: int) -> None:
    """One run: lives that die, one that does not, and the count."""
    chance = random.Random(seed)
    first = in_turn(seed)
    scenario = scenario_for(first, chance)
    taken_over, forgetful = chance.random() < 0.1, chance.random() < 0.5
    run = Run(arena, seed, scenario, forgetful=forgetful, **({"lease_s": _SHORT_LEASE_S} if taken_over else {}))
    run.provider(*faults(scenario, chance), callback_after_s=chance.choice(CALLBACK_S))
    for place in places_of_death(first, scenario, chance):
        await run.deadly(place, chance)
    if taken_over:
        await asyncio.sleep(_SHORT_LEASE_S)
        run.order = msgspec.structs.replace(run.order, worker="w3")
    await run.to_the_end()
    arena.tally.taken_over += taken_over
    arena.tally.missed += run.missed


class Run:
    """One run in an arena: from an empty ledger on."""

    def __init__(self, arena: Arena, seed: int, scenario: Scenario, **changes: Any) -> None:
        self.arena, self.seed, self.scenario = arena, seed, scenario
        path, log = arena.folder / "clock", arena.folder / "lives.log"
        log.unlink(missing_ok=True)
        self._clock = CommonClock(path)
        self._clock.begin(over=scenario.last_min == 0)
        self._plant = Plant(scenario, arena.sandbox, plant_number(0))
        self._missed_before = arena.missed
        self._silent_so_far = False
        self.order = Order(
            arena.fresh(scenario.channels),
            arena.sandbox.addresses,
            arena.public_url,
            scenario.notices(seed),
            "w1",
            str(log),
            str(path),
            follows_up=scenario.about == "followed up",
            **changes,
        )

    @property
    def log(self) -> str:
        """What all lives have logged."""
        return Path(self.order.log).read_text(encoding="utf-8")

    @property
    def missed(self) -> int:
        """Callbacks that nobody took."""
        return self.arena.missed - self._missed_before

    def provider(self, sms: Faults, mail: Faults, *, callback_after_s: float) -> None:
        """What goes wrong at the provider, beside what the scenario is about."""
        sandbox, tally = self.arena.sandbox, self.arena.tally
        for one in (sms, mail):
            late = ", too late" if one.delay_s > TIMEOUT_S else ""
            tally.faults.update(name + (late if name in _DELAYED else "") for name in one.queue)
        tally.faults[f"callbacks {sms.callbacks or 'in order'}"] += 1
        sandbox.phone.faults, sandbox.mailbox.faults = sms, mail
        sandbox.phone.callback_after_s = sandbox.switchboard.callback_after_s = callback_after_s
        if self.scenario.about == "undelivered":
            sms.undelivered = self.scenario.handsets()
        elif self.scenario.about == "outage":
            self._down().queue.extendleft([self.scenario.fault] * self.scenario.outage)
            tally.faults[f"{self.scenario.down} down"] += 1
        if self.scenario.last_min:  # time stands still until everything has been reported
            sandbox.phone.callback_after_s = sandbox.switchboard.callback_after_s = min(callback_after_s, 0.01)

    def make_way_to(self, place: Place, chance: random.Random) -> None:
        """See that the provider does what a process needs to come to its place of death."""
        sms, mail = self.arena.sandbox.phone.faults, self.arena.sandbox.mailbox.faults
        if place.needs == "a lost answer":
            sms.queue.appendleft(chance.choice(SMS_LOST))
            mail.queue.appendleft(chance.choice(MAIL_LOST))
            self.arena.tally.faults.update([sms.queue[0], mail.queue[0]])
        elif place.needs in ("a callback", "an undelivered message", "a dead handset") and sms.callbacks == "never":
            sms.callbacks, self._silent_so_far = None, True

    async def deadly(self, place: Place | None, chance: random.Random) -> None:
        """A life that is to die; in one of seven a second dispatcher is at work meanwhile."""
        tally, killed, name, death = self.arena.tally, None, RANDOM_MOMENT, None
        if place is None:
            killed = asyncio.sleep(0.05 + 0.7 * chance.random())
        else:
            name = place.name
            self.make_way_to(place, chance)
            death = Death(name, chance.randint(1, place.most))
        lives = [self.life(killed, death=death)]
        if chance.random() < 0.15:
            tally.beside += 1
            beside = msgspec.structs.replace(self.order, worker="w2", patience_s=1.5, waits_for_time=False)
            lives.append(self.arena.second.life(beside))
        ended, *others = await asyncio.gather(*lives)
        assert ended in (0, 1, DIED, -signal.SIGKILL), f"ended with {ended}:\n{self.log}"
        assert set(others) <= {0, 1}, f"the second ended with {others}:\n{self.log}"
        (tally.deaths if ended in (DIED, -signal.SIGKILL) else tally.spared)[name] += 1

    async def to_the_end(self) -> None:
        """The life that does not end before everything else has, and the count."""
        if self.scenario.about == "outage":
            self._down().queue = deque(list(self._down().queue)[:_OUTAGE_LEFT])
        listen_s = 2 * self.arena.sandbox.phone.callback_after_s + 0.1
        status = await self.life(listen_s=listen_s)
        about = f"seed {self.seed}, {self.scenario}"
        assert status == 0, f"{about}: something is left over (status {status}):\n{self.log}"
        assert self._clock.over, f"{about}: time has not passed"
        sandbox, engine = self.arena.sandbox, connect(self.order.url)
        missed = self.missed + (self._silent_so_far or sandbox.phone.faults.callbacks == "never")
        links = links_of(self.arena.public_url)
        outcome = Outcome(
            self.seed, engine, sandbox, links, self.scenario, self.order.notices, self.arena.people, missed
        )
        outcome.judge(self.arena.tally)
        engine.dispose()
        self.arena.tally.looked_up.update(_ANSWER.findall(self.log))

    async def life(self, killed_when: Coroutine[Any, Any, Any] | None = None, **changes: Any) -> int:
        """One life, during which time passes; see :meth:`Mortals.life`."""
        self._clock.all_is_done(yes=False)
        passing = asyncio.create_task(self._time_passes())
        try:
            return await self.arena.first.life(msgspec.structs.replace(self.order, **changes), killed_when)
        finally:
            passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await passing

    async def _time_passes(self) -> None:
        """An interval whenever everything that an hour brings has come to its end and the plant has had its say."""
        sandbox = self.arena.sandbox
        while not self._clock.over:
            await self._clock.all_done()
            await sandbox.phone.settled()
            await sandbox.switchboard.settled()
            try:
                await self._plant.act(self._clock.minute)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.01)
                continue
            if self._clock.minute >= self.scenario.last_min:
                self._clock.end()
            else:
                self._clock.advance(self.scenario.every_min)

    def _down(self) -> Faults:
        sandbox = self.arena.sandbox
        return sandbox.phone.faults if self.scenario.down == "sms" else sandbox.mailbox.faults
