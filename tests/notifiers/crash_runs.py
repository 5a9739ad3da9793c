"""Randomised runs that end in death again and again. One seed, one run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from notifiers.database import connect
from notifiers.sandbox import Sandbox
from notifiers.sandbox.faults import Faults
from rules.notices import Notice
from tests.notifiers.crash_outcome import PLANTS, Outcome
from tests.notifiers.crash_tally import RANDOM_MOMENT, Tally
from tests.notifiers.deaths import DIED, PLACES, Death, Place
from tests.notifiers.mortal import TIMEOUT_S, Ended, Order
from tests.notifiers.samples import fill, notice, number

PEOPLE = 3
_SMS_FAULTS = ("slow", "stall", "500", "500-accepted", "503", "429", "drop", "drop-accepted")
_MAIL_FAULTS = ("slow-banner", "421", "450", "451-data", "drop-data", "drop-kept", "late-250")
_SMS_LOST = ("500", "500-accepted", "drop", "drop-accepted")
_MAIL_LOST = ("drop-data", "drop-kept")
_LATE_S = (0.1, 0.1, 0.7)  # within the client's patience, or beyond it: then the answer is lost as well
_DELAYED = ("slow", "stall", "slow-banner", "late-250")
_LIFE_S = 120.0
_ANSWER = re.compile(r"lost answer looked up.*?(Found|Absent|Unknowable)")
_SHORT_LEASE_S = 2.0
_SECOND_NATURE = 11  # has no divisor in common with the number of places: in turn, but not stage by stage


class Mortals:
    """A forking process (:mod:`tests.notifiers.mortal`) and the lives it is asked for, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, listener: socket.socket) -> AsyncIterator[Mortals]:
        fd = listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.notifiers.mortal",
            str(fd),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[fd],
            cwd=Path(__file__).parents[2],
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def life(self, order: Order, killed_when: Coroutine[Any, Any, Any] | None = None) -> int:
        """One life, killed when the coroutine has ended; its exit status, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        child = int(await self._process.stdout.readline())
        ending = asyncio.ensure_future(self._process.stdout.readline())
        killing = asyncio.ensure_future(killed_when or asyncio.sleep(_LIFE_S))
        done, _ = await asyncio.wait([ending, killing], return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if ending not in done:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        ended = msgspec.json.decode(await ending, type=Ended).status
        assert ending in done or killed_when is not None, "a life without an end"
        return ended


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
        """One around a database with the current schema, filled here."""
        fill(engine, folder, people, PLANTS)
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

    def order(self, seed: int, notices: list[Notice]) -> Order:
        """A life in an empty ledger; the provider holds nothing."""
        log = self.folder / "lives.log"
        log.unlink(missing_ok=True)
        return Order(self._fresh(), self.sandbox.addresses, self.public_url, notices, "w1", str(log))

    async def at(self, place: Place, seed: int) -> None:
        """Die at a place, at its first passing, and live on. The provider does only what leads there."""
        chance = random.Random(seed)
        order = self.order(seed, self.notices(seed, end=False))
        self.sandbox.phone.faults, self.sandbox.mailbox.faults = Faults(delay_s=0.1), Faults(delay_s=0.1)
        self.sandbox.phone.callback_after_s = 0.0
        self._make_way_to(place, chance)
        if place.needs == "an earlier death":
            claimed = msgspec.structs.replace(order, death=Death("after-claim", 1))
            assert await self.first.life(claimed) == DIED
        ended = await self.first.life(msgspec.structs.replace(order, death=Death(place.name, 1), listen_s=1.0))
        assert ended == DIED, f"nobody came to the place {place.name!r} (status {ended}):\n{_text_of(order.log)}"
        self.tally.deaths[place.name] += 1
        await self.live_on(seed, order)

    async def live_on(self, seed: int, order: Order) -> None:
        """The life that does not end before everything else has, and the count."""
        listen_s = 2 * self.sandbox.phone.callback_after_s + 0.1
        status = await self.first.life(msgspec.structs.replace(order, listen_s=listen_s))
        assert status == 0, f"seed {seed}: something is left over (status {status}):\n{_text_of(order.log)}"
        engine = connect(order.url)
        Outcome(seed, engine, self.sandbox, len(order.notices), self.people).judge(self.tally)
        engine.dispose()
        self.tally.looked_up.update(_ANSWER.findall(_text_of(order.log)))

    async def run(self, seed: int) -> None:
        """One run: lives that die, one that does not, and the count."""
        chance = random.Random(seed)
        order = self.order(seed, self.notices(seed, end=chance.random() < 0.3))
        self._provider(chance)
        taken_over, forgetful = chance.random() < 0.1, chance.random() < 0.5
        order = msgspec.structs.replace(
            order, forgetful=forgetful, lease_s=_SHORT_LEASE_S if taken_over else order.lease_s
        )
        missed = self.sandbox.phone.missed
        for place in _places_of_death(seed, chance):
            await self._deadly(order, place, chance)
        if taken_over:
            await asyncio.sleep(_SHORT_LEASE_S)
            order = msgspec.structs.replace(order, worker="w3")
        await self.live_on(seed, order)
        self.tally.taken_over += taken_over
        self.tally.missed += self.sandbox.phone.missed - missed

    def _fresh(self) -> str:
        """An empty ledger beside the registries, and nothing at the provider."""
        self.sandbox.phone.messages.clear()
        self.sandbox.mailbox.mails.clear()
        if self.template is not None:
            path = self.folder / "run.sqlite"
            for old in self.folder.glob("run.sqlite*"):
                old.unlink()
            shutil.copy(self.template, path)
            return f"sqlite:///{path}"
        engine = connect(self.url)
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE ledger, notices, attempts, progress, suppressions"))
        engine.dispose()
        return self.url

    def notices(self, seed: int, *, end: bool) -> list[Notice]:
        """An episode of its own for every run, so that callbacks that are late by a run meet nothing."""
        named = {"episode": f"red-river-delta-20260117T06-{seed}"}

        def made(kind: str, transition: int, **changes: Any) -> Notice:
            one = notice(kind, transition=transition, **named, **changes)
            return msgspec.structs.replace(one, id=f"{one.id[:-12]}{seed * 10 + transition:012}")

        notices = [made("advisory", 1), made("request", 2, recipients="facilities")]
        if end:
            notices.append(made("all-clear", 3, level=0, hours=1, told_in=named["episode"]))
        return notices

    def _provider(self, chance: random.Random) -> None:
        """What goes wrong at the provider in this run."""
        sms, mail = Faults(delay_s=chance.choice(_LATE_S)), Faults(delay_s=chance.choice(_LATE_S))
        sms.queue.extend(chance.choices(_SMS_FAULTS, k=chance.randrange(4)))
        mail.queue.extend(chance.choices(_MAIL_FAULTS, k=chance.randrange(4)))
        sms.callbacks = chance.choice((None, None, "twice", "disordered", "never"))
        if chance.random() < 0.15:
            sms.refused[number(chance.randrange(PEOPLE))] = 21614
        for faults in (sms, mail):
            late = ", too late" if faults.delay_s > TIMEOUT_S else ""
            self.tally.faults.update(name + (late if name in _DELAYED else "") for name in faults.queue)
        self.tally.faults[f"callbacks {sms.callbacks or 'in order'}"] += 1
        self.sandbox.phone.faults, self.sandbox.mailbox.faults = sms, mail
        self.sandbox.phone.callback_after_s = chance.choice((0.0, 0.01, 0.15))

    async def _deadly(self, order: Order, place: Place | None, chance: random.Random) -> None:
        """A life that is to die; in one of seven a second dispatcher is at work meanwhile."""
        killed, name = None, RANDOM_MOMENT
        if place is None:
            killed = asyncio.sleep(0.05 + 0.7 * chance.random())
        else:
            name = place.name
            self._make_way_to(place, chance)
            order = msgspec.structs.replace(order, death=Death(name, chance.randint(1, place.most)))
        lives = [self.first.life(order, killed)]
        if chance.random() < 0.15:
            self.tally.beside += 1
            lives.append(self.second.life(msgspec.structs.replace(order, death=None, worker="w2", patience_s=1.5)))
        ended, *beside = await asyncio.gather(*lives)
        assert ended in (0, 1, DIED, -signal.SIGKILL), f"ended with {ended}:\n{_text_of(order.log)}"
        assert set(beside) <= {0, 1}, f"the second ended with {beside}:\n{_text_of(order.log)}"
        (self.tally.deaths if ended in (DIED, -signal.SIGKILL) else self.tally.spared)[name] += 1

    def _make_way_to(self, place: Place, chance: random.Random) -> None:
        """See that the provider does what a process needs to come to its place of death."""
        sms, mail = self.sandbox.phone.faults, self.sandbox.mailbox.faults
        if place.needs == "a lost answer":
            sms.queue.appendleft(chance.choice(_SMS_LOST))
            mail.queue.appendleft(chance.choice(_MAIL_LOST))
            self.tally.faults.update([sms.queue[0], mail.queue[0]])
        elif place.needs == "a callback" and sms.callbacks == "never":
            sms.callbacks = None


def _places_of_death(seed: int, chance: random.Random) -> list[Place | None]:
    """Where the lives of a run die, ``None`` for a random moment. The first ones come in turn over the seeds."""
    turn = [*PLACES, None]
    first = turn[seed * _SECOND_NATURE % len(turn)]
    later = [place for place in PLACES if place.stage != "fan-out"]
    if first is not None and first.needs == "an earlier death":
        return [chance.choice([place for place in PLACES if place.stage in ("claim", "request")]), first]
    places = [first]
    for _ in range(chance.choice((0, 0, 1, 2))):
        among = PLACES if places[-1] is not None and places[-1].stage == "fan-out" else later
        places.append(chance.choice(among))
    return places


def _text_of(log: str) -> str:
    return Path(log).read_text(encoding="utf-8")
