"""Randomised runs that end in death again and again. One seed, one run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from sqlalchemy import Engine, text, update

from notifiers import consents
from notifiers.database import connect
from notifiers.sandbox import Sandbox
from notifiers.sandbox.faults import Faults
from notifiers.tables import subscribers
from tests.notifiers.crash_clock import CommonClock
from tests.notifiers.crash_lives import Mortals
from tests.notifiers.crash_outcome import PLANTS, Outcome, person, plant_number
from tests.notifiers.crash_plant import Plant
from tests.notifiers.crash_scenarios import Scenario
from tests.notifiers.crash_tally import RANDOM_MOMENT, Tally
from tests.notifiers.deaths import DIED, PLACES, Death, Place
from tests.notifiers.mortal import TIMEOUT_S, Order, links_of
from tests.notifiers.samples import NOON, fill, number

PEOPLE = 3
_SMS_FAULTS = ("slow", "stall", "500", "500-accepted", "503", "429", "drop", "drop-accepted")
_MAIL_FAULTS = ("slow-banner", "421", "450", "451-data", "drop-data", "drop-kept", "late-250")
_SMS_LOST = ("500", "500-accepted", "drop", "drop-accepted")
_MAIL_LOST = ("drop-data", "drop-kept")
_LATE_S = (0.1, 0.1, 0.7)  # within the client's patience, or beyond it: then the answer is lost as well
_DELAYED = ("slow", "stall", "slow-banner", "late-250")
_ANSWER = re.compile(r"lost answer looked up.*?(Found|Absent|Unknowable)")
_SHORT_LEASE_S = 2.0
_SECOND_NATURE = 11  # has no divisor in common with the number of places: in turn, but not stage by stage
_RARE = 0.65
_OUTAGE_LEFT = 8
"""Requests that a channel takes nothing of when the last life begins, at most: some tenths of a second."""


@dataclass
class Arena:
    """Where runs take place: a database, a provider, and two processes that can die."""

    sandbox: Sandbox
    first: Mortals
    second: Mortals
    url: str
    public_url: str
    folder: Path
    template: Path | None
    people: int = PEOPLE
    tally: Tally = field(default_factory=Tally)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, engine: Engine, folder: Path, people: int = PEOPLE) -> AsyncIterator[Arena]:
        """One around a database with the current schema, filled here. Everybody has agreed to SMS and mail."""
        fill(engine, folder, people, PLANTS)
        with engine.begin() as connection:
            for index in range(people):
                who, agreed_s = person(index), NOON.timestamp() - 86_400
                consents.give(connection, who, ["sms", "email"], by=consents.PAGE, now_s=agreed_s)
        template = None
        if engine.dialect.name == "sqlite":
            engine.dispose()  # the last connection brings everything from the log into the file
            template = folder / "template.sqlite"
            shutil.copy(folder / "airshed.db", template)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with (
                Sandbox(folder / "sandbox") as sandbox,
                Mortals.started(listener) as first,
                Mortals.started(listener) as second,
            ):
                url = engine.url.render_as_string(hide_password=False)
                yield cls(sandbox, first, second, url, public_url, folder, template, people)

    async def at(self, place: Place, seed: int) -> None:
        """Die at a place, at its first passing, and live on. The provider does only what leads there."""
        chance = random.Random(seed)
        run = Run(self, seed, self.scenario(place, chance))
        run.provider(Faults(delay_s=0.1), Faults(delay_s=0.1), callback_after_s=0.0)
        if place.needs == "an earlier death":
            assert await run.life(death=Death("after-claim", 1)) == DIED
        run.make_way_to(place, chance)
        ended = await run.life(death=Death(place.name, 1), listen_s=1.0)
        assert ended == DIED, f"nobody came to the place {place.name!r} (status {ended}):\n{run.log}"
        self.tally.deaths[place.name] += 1
        await run.to_the_end()

    async def run(self, seed: int) -> None:
        """One run: lives that die, one that does not, and the count."""
        chance = random.Random(seed)
        first = in_turn(seed)
        scenario = self.scenario(first, chance)
        taken_over, forgetful = chance.random() < 0.1, chance.random() < 0.5
        run = Run(self, seed, scenario, forgetful=forgetful, **({"lease_s": _SHORT_LEASE_S} if taken_over else {}))
        self._provider(run, chance)
        for place in places_of_death(first, scenario, chance):
            await run.deadly(place, chance)
        if taken_over:
            await asyncio.sleep(_SHORT_LEASE_S)
            run.order = msgspec.structs.replace(run.order, worker="w3")
        await run.to_the_end()
        self.tally.taken_over += taken_over
        self.tally.missed += run.missed

    def scenario(self, place: Place | None, chance: random.Random) -> Scenario:
        """One in which a process comes to a place."""
        plants = [plant_number(index) for index in range(PLANTS)]
        return Scenario.for_a_death(place.needs if place else "", chance, [number(0)], plants)

    def fresh(self, chosen: str) -> str:
        """An empty ledger beside the registries, in which everybody has chosen these channels, and nothing at the
        provider. Returns the database's URL."""
        self.sandbox.phone.messages.clear()
        self.sandbox.mailbox.mails.clear()
        self.sandbox.switchboard.calls.clear()
        url = self.url
        if self.template is not None:
            path = self.folder / "run.sqlite"
            for old in self.folder.glob("run.sqlite*"):
                old.unlink()
            shutil.copy(self.template, path)
            url = f"sqlite:///{path}"
        engine = connect(url)
        with engine.begin() as connection:
            if self.template is None:
                connection.execute(text(f"TRUNCATE {', '.join(_WRITTEN)}"))
            connection.execute(update(subscribers).values(channels=chosen))
        engine.dispose()
        return url

    def _provider(self, run: Run, chance: random.Random) -> None:
        """What goes wrong at the provider in this run."""
        sms, mail = Faults(delay_s=chance.choice(_LATE_S)), Faults(delay_s=chance.choice(_LATE_S))
        sms.queue.extend(chance.choices(_SMS_FAULTS, k=chance.randrange(4)))
        mail.queue.extend(chance.choices(_MAIL_FAULTS, k=chance.randrange(4)))
        sms.callbacks = chance.choice((None, None, "twice", "disordered", "never"))
        if run.scenario.about == "everyday" and chance.random() < 0.2:
            sms.refused[number(chance.randrange(PEOPLE))] = 21614
        for faults in (sms, mail):
            late = ", too late" if faults.delay_s > TIMEOUT_S else ""
            self.tally.faults.update(name + (late if name in _DELAYED else "") for name in faults.queue)
        self.tally.faults[f"callbacks {sms.callbacks or 'in order'}"] += 1
        run.provider(sms, mail, callback_after_s=chance.choice((0.0, 0.01, 0.15)))


_WRITTEN = (
    "ledger",
    "notices",
    "attempts",
    "progress",
    "suppressions",
    "heard",
    "escalations",
    "escalation_calls",
    "acknowledgements",
)


class Run:
    """One run in an arena: from an empty ledger on."""

    def __init__(self, arena: Arena, seed: int, scenario: Scenario, **changes: Any) -> None:
        self.arena, self.seed, self.scenario = arena, seed, scenario
        path, log = arena.folder / "clock", arena.folder / "lives.log"
        log.unlink(missing_ok=True)
        self._clock = CommonClock(path)
        self._clock.begin(over=scenario.last_min == 0)
        self._plant = Plant(scenario, arena.sandbox, plant_number(0))
        self._missed_before = _missed(arena.sandbox)
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
        return _missed(self.arena.sandbox) - self._missed_before

    def provider(self, sms: Faults, mail: Faults, *, callback_after_s: float) -> None:
        """What goes wrong at the provider, beside what the scenario is about."""
        sandbox = self.arena.sandbox
        sandbox.phone.faults, sandbox.mailbox.faults = sms, mail
        sandbox.phone.callback_after_s = sandbox.switchboard.callback_after_s = callback_after_s
        if self.scenario.about == "undelivered":
            sms.undelivered = self.scenario.handsets()
        elif self.scenario.about == "outage":
            self._down().queue.extendleft([self.scenario.fault] * self.scenario.outage)
            self.arena.tally.faults[f"{self.scenario.down} down"] += 1
        if self.scenario.last_min:  # time stands still until everything has been reported
            sandbox.phone.callback_after_s = sandbox.switchboard.callback_after_s = min(callback_after_s, 0.01)

    def make_way_to(self, place: Place, chance: random.Random) -> None:
        """See that the provider does what a process needs to come to its place of death."""
        sms, mail = self.arena.sandbox.phone.faults, self.arena.sandbox.mailbox.faults
        if place.needs == "a lost answer":
            sms.queue.appendleft(chance.choice(_SMS_LOST))
            mail.queue.appendleft(chance.choice(_MAIL_LOST))
            self.arena.tally.faults.update([sms.queue[0], mail.queue[0]])
        elif place.needs in ("a callback", "an undelivered message", "a dead handset") and sms.callbacks == "never":
            sms.callbacks = None

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
        missed = self.missed + (sandbox.phone.faults.callbacks == "never")
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


def in_turn(seed: int) -> Place | None:
    """Where the first life of a run dies, ``None`` for a random moment: all in turn over the seeds."""
    turn = [*PLACES, None]
    return turn[seed * _SECOND_NATURE % len(turn)]


def places_of_death(first: Place | None, scenario: Scenario, chance: random.Random) -> list[Place | None]:
    """Where the lives of a run die that is about this: at the first place, and maybe once or twice more."""
    if first is not None and first.needs == "an earlier death":
        return [chance.choice([place for place in PLACES if place.stage in ("claim", "request")]), first]
    possible = [place for place in PLACES if scenario.leads_to(place)]
    fan_out = [place for place in possible if place.stage == "fan-out"]
    own = [place for place in possible if scenario.is_own(place)]
    anywhere: list[Place | None] = [None, *(place for place in possible if place.stage != "fan-out")]
    places = [first]
    for _ in range(chance.choice((0, 0, 1, 2) if own or first in fan_out else (0, 0, 0, 1))):
        rare = fan_out if places[-1] in fan_out else own  # come to in few runs: more often in these
        places.append(chance.choice(rare if rare and chance.random() < _RARE else anywhere))
    return places


def _missed(sandbox: Sandbox) -> int:
    return sandbox.phone.missed + sandbox.switchboard.missed
