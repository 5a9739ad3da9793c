"""What a run of the crash test is about, beside deaths and lost answers: one seed, one scenario.

====================== ==================================================================================
everyday               an advisory by SMS and mail, a request, maybe the end of the episode
outage                 an urgent advisory on one channel, which is down for a while
undelivered            an advisory by SMS alone; the handset of a person, of the plant or of both is off
followed up            a request over hours: nobody answers, or somebody does, on the page or by a digit
====================== ==================================================================================
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from notifiers.acknowledgements import Answer
from notifiers.deliveries import ChannelName
from notifiers.escalation import EscalationPlan
from notifiers.ledger import NEVER_LEFT, SECOND_TRY_CODES, UNREACHABLE
from rules.notices import Notice
from streams.clock import utc
from tests.notifiers.deaths import Needs, Place
from tests.notifiers.samples import notice

About = Literal["everyday", "outage", "undelivered", "followed up"]
EVERY_MIN = 10
PLAN = EscalationPlan(order=["sms", "voice"], interval_s=60.0 * EVERY_MIN, cycles=2, remind_after_s=120.0 * EVERY_MIN)
CALLS: tuple[ChannelName, ...] = ("voice", "sms", "voice")
"""By that plan, one every ten minutes, after the SMS and the mail that go out at once."""
REMINDED_AFTER_MIN = 2 * EVERY_MIN

_ABOUT: dict[Needs, About] = {
    "an outage": "outage",
    "an undelivered message": "undelivered",
    "a dead handset": "undelivered",
    "a request followed up": "followed up",
    "an answered request": "followed up",
}
_OUTAGES = {"sms": "429", "email": "421"}
_USEFUL_S = 12 * 3600.0
_FOR_GOOD = 9


@dataclass
class Handsets(dict[str, int]):
    """Numbers whose handset is off for some messages, with the code that they end with then."""

    code: int
    off_for: dict[str, int] = field(default_factory=dict)

    def get(self, to: str, default: Any = None) -> Any:
        """Asked once for each message."""
        if self.off_for.get(to, 0) <= 0:
            return default
        self.off_for[to] -= 1
        return self.code


@dataclass(frozen=True)
class Scenario:
    """What a run is about.

    Attributes:
        ends: whether the end of the episode is told as well.
        urgent: whether the advisory is.
        down: the channel that is down, and the only one that people have chosen.
        outage: requests that it takes nothing of.
        code: with which messages to ``off`` end, so many of each number.
        answer: of the plant; empty: none. ``digit``: it presses the digit in every call, ``accepted``: on the page.
            After either it says on the page that it is done when it is reminded.
        answer_after: messages that the plant lets pass before its answer on the page.
    """

    about: About = "everyday"
    ends: bool = False
    urgent: bool = False
    down: ChannelName = "sms"
    outage: int = 0
    code: int = 0
    off: tuple[str, ...] = ()
    off_for: int = 0
    answer: Answer | Literal["", "digit"] = ""
    answer_min: int = 0

    @classmethod
    def for_a_death(cls, needs: Needs, chance: random.Random, people: list[str], plants: list[str]) -> Scenario:
        """One in which a process comes to a place that needs this, or any."""
        about = (
            _ABOUT.get(needs)
            or chance.choices(("everyday", "outage", "undelivered", "followed up"), weights=(70, 10, 10, 10))[0]
        )
        if about == "outage":
            down: ChannelName = chance.choice(("sms", "email"))
            lasts = chance.choice((16, 24) if needs else (3, 8, 16))
            return cls(about, urgent=True, down=down, outage=lasts, ends=chance.random() < 0.3)
        if about == "undelivered":
            return cls._undelivered(needs, chance, people, plants)
        if about == "followed up":
            return cls._followed_up(needs, chance)
        return cls(ends=chance.random() < 0.4)

    @classmethod
    def _undelivered(cls, needs: Needs, chance: random.Random, people: list[str], plants: list[str]) -> Scenario:
        code, off_for = chance.choice(SECOND_TRY_CODES), chance.choice((1, 2, _FOR_GOOD))
        off, urgent = chance.choice(((people[0],), (plants[0],), (people[0], plants[0]))), chance.random() < 0.5
        if needs == "an undelivered message":
            off = chance.choice(((plants[0],), (people[0], plants[0])))
        if needs == "a dead handset":
            code, off, off_for = UNREACHABLE, (people[0],), _FOR_GOOD
        return cls("undelivered", urgent=urgent, code=int(code), off=off, off_for=off_for)

    @classmethod
    def _followed_up(cls, needs: Needs, chance: random.Random) -> Scenario:
        on_page: tuple[Answer, ...] = ("accepted", "refused", "started", "done")
        answer: Answer | Literal["", "digit"] = chance.choice(("", "", "digit", *on_page))
        if needs == "an answered request":
            answer = chance.choice(on_page)
        after = chance.choice((0, 1, 2) if needs != "a request followed up" else (2,))
        return cls("followed up", answer=answer, answer_min=after * EVERY_MIN)

    @property
    def channels(self) -> str:
        """Those that people have chosen, as the registry writes them."""
        return {"outage": str(self.down), "undelivered": "sms"}.get(self.about, "sms email")

    @property
    def fault(self) -> str:
        """What the channel that is down answers."""
        return _OUTAGES[self.down]

    @property
    def every_min(self) -> int:
        """How much time passes at once when everything that an hour brings has come to its end; 0 for none."""
        return {"followed up": EVERY_MIN, "undelivered": 1}.get(self.about, 0)

    @property
    def last_min(self) -> int:
        """When everything has come to its end: a request after two intervals in which nothing may follow; what is not
        delivered after a second try, and what stands in for that."""
        return {"followed up": 60, "undelivered": 3}.get(self.about, 0)

    def is_own(self, place: Place) -> bool:
        """Whether a process comes to a place of death in scenarios of this kind only."""
        return _ABOUT.get(place.needs) == self.about and self.leads_to(place)

    def leads_to(self, place: Place) -> bool:
        """Whether a process comes to a place of death."""
        if place.needs == "an earlier death":
            return True
        if place.needs == "a dead handset":
            return self.off_for == _FOR_GOOD and str(self.code) == UNREACHABLE and self.urgent
        if place.needs == "an answered request":
            return self.answer not in ("", "digit")
        return place.needs not in _ABOUT or _ABOUT[place.needs] == self.about

    def notices(self, seed: int) -> list[Notice]:
        """An episode of its own for every run, so that callbacks that are late by a run meet nothing. What they ask
        for is of use on the machine's clock as well, which second tries go by."""
        named = {
            "episode": f"red-river-delta-20260117T06-{seed}",
            "valid_until": utc(time.time() // 3600 * 3600 + _USEFUL_S),
        }

        def made(kind: str, transition: int, **changes: Any) -> Notice:
            one = notice(kind, transition=transition, **named, **changes)
            return msgspec.structs.replace(one, id=f"{one.id[:-12]}{seed * 10 + transition:012}")

        notices = [
            made("advisory", 1, priority=0 if self.urgent else 5),
            made("request", 2, recipients="facilities"),
        ]
        if self.ends:
            notices.append(made("all-clear", 3, level=0, hours=1, told_in=named["episode"]))
        return notices

    def handsets(self) -> Handsets:
        """Those that are off."""
        return Handsets(self.code, dict.fromkeys(self.off, self.off_for))

    def copies(self, to: str, *, insists: bool) -> int:
        """How many SMS of one notice go to a number; ``insists``: an undelivered one is tried once more."""
        return 2 if to in self.off and (insists or str(self.code) == NEVER_LEFT) else 1

    def stands_in(self, to: str, copies: int) -> bool:
        """Whether a mail goes to somebody instead."""
        return to in self.off and str(self.code) == UNREACHABLE and self.off_for >= copies
