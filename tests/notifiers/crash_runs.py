"""Randomised runs that end in death again and again, and what must hold afterwards. One seed, one run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import msgspec
from sqlalchemy import Engine, select, text

from notifiers.database import connect, reading
from notifiers.failpoints import FailpointName
from notifiers.sandbox import Sandbox
from notifiers.sandbox.faults import Faults
from notifiers.tables import ledger
from rules.notices import Notice
from tests.notifiers.mortal import DIED, Death, Ended, Order
from tests.notifiers.samples import notice, number

PEOPLE, PLANTS = 3, 1
_SMS_FAULTS = ("slow", "stall", "500", "500-accepted", "503", "429", "drop", "drop-accepted")
_MAIL_FAULTS = ("slow-banner", "421", "450", "451-data", "drop-data", "drop-kept", "late-250")
_FAULT_S = 0.1
_LIFE_S = 120.0


@dataclass
class Tally:
    """What happened over many runs.

    Attributes:
        deaths: by place; ``SIGKILL`` for those at a random moment.
        unknown: messages whose answer was lost at some time.
    """

    runs: int = 0
    messages: int = 0
    unknown: int = 0
    undeliverable: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        deaths = "\n".join(f"  {count:5} {place}" for place, count in sorted(self.deaths.items()))
        faults = "\n".join(f"  {count:5} {name}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.runs} runs, {sum(self.deaths.values())} deaths, {self.messages} messages once each, "
            f"{self.unknown} of them unknown for a while, {self.undeliverable} refused by the provider\n"
            f"deaths by place:\n{deaths}\nfaults of the provider:\n{faults}"
        )


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

    async def life(self, order: Order, killed_after_s: float | None = None) -> int:
        """One life; its exit status, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        child = int(await self._process.stdout.readline())
        ending = asyncio.ensure_future(self._process.stdout.readline())
        done, _ = await asyncio.wait([ending], timeout=killed_after_s if killed_after_s is not None else _LIFE_S)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        ended = msgspec.json.decode(await ending, type=Ended).status
        assert done or killed_after_s is not None, "a life without an end"
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
    tally: Tally

    async def run(self, seed: int) -> None:
        """One run: lives that die, one that does not, and the count."""
        chance = random.Random(seed)
        url = self._fresh()
        notices = self._notices(seed, chance)
        self._provider(chance)
        report = self.folder / "deaths"
        order = Order(url, self.sandbox.addresses, self.public_url, notices, "w1", str(report))
        for _ in range(chance.choice((1, 1, 2, 3))):
            await self._deadly(order, chance)
        status = await self.first.life(order)
        assert status == 0, f"seed {seed}: something is left over (status {status})"
        self._count(seed, connect(url), len(notices))
        self.tally.unknown += _looked_up(report.with_suffix(".log"))

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

    def _notices(self, seed: int, chance: random.Random) -> list[Notice]:
        """An episode of its own for every run, so that callbacks that are late by a run meet nothing."""
        named = {"episode": f"red-river-delta-20260117T06-{seed}"}

        def made(kind: str, transition: int, **changes: Any) -> Notice:
            one = notice(kind, transition=transition, **named, **changes)
            return msgspec.structs.replace(one, id=f"{one.id[:-12]}{seed * 10 + transition:012}")

        notices = [made("advisory", 1), made("request", 2, recipients="facilities")]
        if chance.random() < 0.3:
            notices.append(made("all-clear", 3, level=0, hours=1, told_in=named["episode"]))
        return notices

    def _provider(self, chance: random.Random) -> None:
        """What goes wrong at the provider in this run."""
        sms, mail = Faults(delay_s=_FAULT_S), Faults(delay_s=_FAULT_S)
        sms.queue.extend(chance.choices(_SMS_FAULTS, k=chance.randrange(4)))
        mail.queue.extend(chance.choices(_MAIL_FAULTS, k=chance.randrange(4)))
        sms.callbacks = chance.choice((None, None, "twice", "disordered", "never"))
        if chance.random() < 0.15:
            sms.refused[number(chance.randrange(PEOPLE))] = 21614
        self.tally.faults.update([*sms.queue, *mail.queue, f"callbacks {sms.callbacks or 'in order'}"])
        self.sandbox.phone.faults, self.sandbox.mailbox.faults = sms, mail
        self.sandbox.phone.callback_after_s = chance.choice((0.0, 0.01, 0.15))

    async def _deadly(self, order: Order, chance: random.Random) -> None:
        """A life that is to die; in one of five a second dispatcher is at work meanwhile."""
        kind = chance.random()
        death, killed_after_s = None, None
        if kind < 0.6:
            death = Death(chance.choice(("before-commit", "after-commit")), chance.randint(1, 24))
        elif kind < 0.85:
            death = Death(chance.choice(get_args(FailpointName)), chance.randint(1, 3))
        else:
            killed_after_s = 0.05 + 0.5 * chance.random()
        lives = [self.first.life(msgspec.structs.replace(order, death=death), killed_after_s)]
        if chance.random() < 0.2:
            lives.append(self.second.life(msgspec.structs.replace(order, worker="w2")))
        ended = (await asyncio.gather(*lives))[0]
        assert ended in (0, 1, DIED, -signal.SIGKILL), f"the process ended with {ended}"
        if ended == -signal.SIGKILL:
            self.tally.deaths["SIGKILL at a random moment"] += 1
        elif ended == DIED:
            self.tally.deaths[_last_line(Path(order.report))] += 1

    def _count(self, seed: int, engine: Engine, notices: int) -> None:
        with reading(engine) as connection:
            rows = connection.execute(select(ledger)).all()
        engine.dispose()
        refused = set(self.sandbox.phone.faults.refused)
        received = Counter((sms.to, sms.body) for sms in self.sandbox.phone.messages.values())
        received.update((mail.to, mail.message_id) for mail in self.sandbox.mailbox.mails)
        twice = {key: times for key, times in received.items() if times > 1}
        assert not twice, f"seed {seed}: sent twice: {twice}"
        states = Counter(row.state for row in rows)
        assert states["failed"] == len(refused), f"seed {seed}: {states}"
        silent = states["suppressed"]
        assert silent == (len(refused) if notices == 3 else 0), f"seed {seed}: {states}"
        expected = 2 * (PEOPLE * (notices - 1) + PLANTS)
        assert len(rows) == expected, f"seed {seed}: {len(rows)} rows"
        assert states["sent"] + states["delivered"] == expected - len(refused) - silent, f"seed {seed}: {states}"
        assert len(received) == expected - len(refused) - silent, f"seed {seed}: a message lost"
        self.tally.runs += 1
        self.tally.messages += len(received)
        self.tally.undeliverable += len(refused)


def _last_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[-1]


def _looked_up(log: Path) -> int:
    """How many lost answers were looked up at the provider in a run; the log is gone afterwards."""
    number = log.read_text(encoding="utf-8").count("lost answer looked up")
    log.unlink()
    return number
