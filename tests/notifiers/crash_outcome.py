"""What must hold when a run of deaths is over: counted at the provider, and in the ledger."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Engine, select, update

from notifiers.auditor import Patience, audit
from notifiers.channels.email import message_id
from notifiers.database import reading
from notifiers.ledger import SECOND_TRY_CODES
from notifiers.links import Links
from notifiers.sandbox import Sandbox
from notifiers.tables import attempts, escalations, ledger, notices
from rules.notices import Notice, delivery_id
from tests.notifiers.crash_scenarios import CALLS, EVERY_MIN, Scenario
from tests.notifiers.crash_tally import Tally
from tests.notifiers.samples import number

PLANTS = 1
_DOMAIN = "airshed.example.org"
Wanted = Counter[str]
"""Copies at the provider by message: of one notice, to one recipient, on one channel."""


def person(index: int) -> str:
    return f"S{index:04}"


def plant(index: int) -> str:
    return f"F{index:03}"


def plant_number(index: int) -> str:
    return number(900_000 + index)


def message(notice: str, recipient: str, channel: str) -> str:
    """By what a message is known at the provider: of an SMS and a call the delivery is, of a mail its Message-ID."""
    return _known_by(delivery_id(notice, recipient, channel), channel)


def _known_by(delivery: str, channel: str) -> str:
    return message_id(delivery, _DOMAIN) if channel == "email" else delivery


@dataclass
class Outcome:
    """A run that is over.

    Attributes:
        told: what was planned: an advisory, a request, and maybe the end.
        missed: callbacks that nobody took in this run.
    """

    seed: int
    engine: Engine
    sandbox: Sandbox
    links: Links
    scenario: Scenario
    told: list[Notice]
    people: int
    missed: int

    def judge(self, tally: Tally) -> None:
        """Check everything, and count it."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(ledger)).all()
            tries = connection.execute(select(attempts)).all()
            followed = connection.execute(select(escalations)).all()
        refused = set(self.sandbox.phone.faults.refused)
        held = Counter(delivery for _, delivery in self._held())
        self._everybody_once(Counter(self._held()), {row.id: row for row in rows}, refused)
        self._rows_agree(held, rows, refused)
        self._nothing_guessed(rows, tries)
        self._followed_to_the_end(followed)
        tally.runs += 1
        tally.about[self.scenario.about] += 1
        tally.messages += held.total()
        tally.undeliverable += len(refused)
        tally.diverted += sum(row.state == "suppressed" and row.reason == "fallback" for row in rows)
        tally.tried_again += sum(copies - 1 for copies in held.values())
        tally.stood_in += sum(row.state == "failed" and row.reason == "fallback" for row in rows)
        tally.calls += len(self.sandbox.switchboard.calls)
        tally.silent += self._silent_are_named(rows)

    def _held(self) -> Iterator[tuple[str, str]]:
        """What the provider has: to whom, and which delivery it is."""
        for sms in self.sandbox.phone.messages.values():
            yield sms.to, self._delivery(sms.callback)
        for call in self.sandbox.switchboard.calls.values():
            yield call.to, self._delivery(call.callback)
        for mail in self.sandbox.mailbox.mails:
            yield mail.to, mail.message_id

    def _delivery(self, callback: str) -> str:
        return self.links.read(parse_qs(urlsplit(callback).query)["d"][0], "status")

    def _everybody_once(self, held: Counter[tuple[str, str]], rows: dict[str, Any], refused: set[str]) -> None:
        """At the provider: who is to be told what, whatever the ledger says."""
        for index in range(self.people):
            contacts = {number(index), f"person{index}@example.org"}
            self._once(person(index), contacts, held, [*self._for_person(index, rows, refused)])
        for index in range(PLANTS):
            contacts = {plant_number(index), f"plant{index}@example.org"}
            self._once(plant(index), contacts, held, [*self._for_plant(index, rows)])
        assert not held, f"seed {self.seed}: somebody else holds {held}"

    def _once(self, who: str, contacts: set[str], held: Counter[tuple[str, str]], wanted: list[Wanted]) -> None:
        """That somebody holds what is wanted: one of these sets, and nothing else. It is taken out of ``held``."""
        got: Wanted = Counter()
        for to, delivery in [key for key in held if key[0] in contacts]:
            got[delivery] += held.pop((to, delivery))
        assert got in wanted, (
            f"seed {self.seed}, {self.scenario}, {self.missed} callbacks missed: "
            f"{who} holds {got}, and is to hold one of {wanted}; {self._rows_of(who)}"
        )

    def _rows_of(self, who: str) -> list[Any]:
        rows = select(ledger.c.id, ledger.c.kind, ledger.c.channel, ledger.c.state, ledger.c.reason, ledger.c.attempts)
        with reading(self.engine) as connection:
            return list(connection.execute(rows.where(ledger.c.recipient == who)))

    def _for_person(self, index: int, rows: dict[str, Any], refused: set[str]) -> Iterator[Wanted]:
        who, to = person(index), number(index)
        about = [one for one in self.told if one.kind != "request"]

        def on(one: Notice, channel: str) -> str:
            return message(one.id, who, channel)

        if self.scenario.about == "outage":  # the warning once, on whichever channel; the end on the chosen one
            ends = {on(one, self.scenario.down): 1 for one in about[1:]}
            for channel in ("sms", "email"):
                yield Counter({on(about[0], channel): 1, **ends})
        elif self.scenario.about == "undelivered":
            insists = self.scenario.urgent
            yield from self._chain(on(about[0], "sms"), on(about[0], "email"), to, rows, insists=insists)
        else:
            channels = ("email",) if to in refused else ("sms", "email")
            yield Counter(on(one, channel) for one in about for channel in channels)

    def _for_plant(self, index: int, rows: dict[str, Any]) -> Iterator[Wanted]:
        (request,) = (one for one in self.told if one.kind == "request")
        sms, mail = (message(request.id, plant(index), channel) for channel in ("sms", "email"))
        calls = self._calls()
        more = Counter(
            message(request.id, plant(index), f"{channel}#{turn}") for turn, channel in enumerate(calls, start=1)
        )
        if self.scenario.about == "undelivered":  # the mail has gone out already: nothing stands in
            for one in self._chain(sms, "", plant_number(index), rows, insists=True):
                yield one + Counter([mail])
        else:
            yield Counter([sms, mail]) + more

    def _calls(self) -> list[str]:
        """Those to the plant, in order: one every ten minutes until it answers; a reminder follows an acceptance."""
        if self.scenario.about != "followed up":
            return []
        if self.scenario.answer == "digit":
            return ["voice", "sms"]  # the reminder; or, if the digit was not heard, the next call, which it answers
        if not self.scenario.answer:
            return list(CALLS)
        until_then: list[str] = list(CALLS[: self.scenario.answer_min // EVERY_MIN])
        return until_then + (["sms"] if self.scenario.answer == "accepted" else [])

    def _chain(self, sms: str, mail: str, to: str, rows: dict[str, Any], *, insists: bool) -> Iterator[Wanted]:
        """An undelivered SMS, maybe a second one, maybe a mail. When the provider's word on one of them was lost, that
        one is the last, and its row waits for the word."""
        copies = self.scenario.copies(to, insists=insists)
        yield Counter({sms: copies}) + Counter([mail] if mail and self.scenario.stands_in(to, copies) else [])
        if self.missed and rows[sms].state == "sent":
            yield from (Counter({sms: fewer}) for fewer in range(1, copies + 1))

    def _rows_agree(self, held: Wanted, rows: Sequence[Any], refused: set[str]) -> None:
        """The ledger says of each row what the provider has."""
        for row in rows:
            undelivered = row.state == "failed" and row.reason in (*SECOND_TRY_CODES, "fallback")
            there = undelivered or row.state in ("sent", "delivered")
            assert (held[_known_by(row.id, row.channel)] > 0) is there, (
                f"seed {self.seed}: {row.id} is {row.state}, {row.reason}"
            )
        states = Counter(row.state for row in rows if row.reason not in (*SECOND_TRY_CODES, "fallback"))
        silenced = len(refused) if self.scenario.ends else 0  # the end goes to those who were warned
        assert states["failed"] == len(refused), f"seed {self.seed}: {states}"
        assert states["suppressed"] == silenced, f"seed {self.seed}: {states}"
        for row in rows:
            if row.reason == "fallback" and row.state in ("suppressed", "failed"):
                other = message(row.notice, row.recipient, "email" if row.channel == "sms" else "sms")
                assert held[other] == 1, f"seed {self.seed}: nothing stands in for {row.id}"

    def _nothing_guessed(self, rows: Sequence[Any], tries: Sequence[Any]) -> None:
        """Every message is tied to the provider's own copy of it, and no attempt is left whose end nobody knows."""
        there: dict[str, Container[str]] = {
            "sms": self.sandbox.phone.messages,
            "voice": self.sandbox.switchboard.calls,
            "email": {mail.message_id for mail in self.sandbox.mailbox.mails},
        }
        for row in rows:
            if row.state not in ("sent", "delivered"):
                continue
            assert row.provider_id in there[row.channel], (
                f"seed {self.seed}: {row.id} is {row.state} as {row.provider_id!r}, which nobody holds"
            )
            assert row.reason not in ("resend", "unknowable"), f"seed {self.seed}: {row.id}: {row.reason}"
        held = [row.provider_id for row in rows if row.provider_id]
        assert len(set(held)) == len(held), f"seed {self.seed}: one message stands for two rows"
        open_ones = [(one.delivery, one.number) for one in tries if one.outcome in ("", "unknown")]
        assert not open_ones, f"seed {self.seed}: attempts without an end: {open_ones}"

    def _followed_to_the_end(self, followed: Sequence[Any]) -> None:
        """The request is followed up once, and ends as the plant has answered."""
        if self.scenario.about != "followed up":
            assert not followed
            return
        answer = self.scenario.answer
        ends = {"": ("exhausted", "no-answer"), "refused": ("answered", "refused"), "started": ("finished", "started")}
        wanted = [ends.get(answer, ("finished", "done"))] * PLANTS
        assert [(row.state, row.reason) for row in followed] == wanted, f"seed {self.seed}: {followed}"

    def _silent_are_named(self, rows: Sequence[Any]) -> int:
        """Messages whose last callback was lost: in ten hours the audit names each, and nothing else."""
        silent = [row for row in rows if row.channel in ("sms", "voice") and row.state == "sent"]
        with self.engine.begin() as connection:
            connection.execute(update(notices).values(time_s=int(time.time())))  # the audit is of these days
            found = audit(connection, time.time() + Patience().silent_s + 60.0)
        assert all(finding.problem == "silent" for finding in found), f"seed {self.seed}: {found}"
        named = Counter[tuple[str, str]]()
        for finding in found:
            named[finding.notice, finding.channel] += finding.number
        assert named == Counter((row.notice, row.channel) for row in silent), f"seed {self.seed}: {found}"
        return len(silent)
